"""Apache's user files: reading, editing and reloading htpasswd, htdigest and group files."""
