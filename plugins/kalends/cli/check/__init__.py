"""``kalends check``: checks of the configuration, the files, the store and the certificate."""
