"""``kalends check``: the configuration, the user files, the store and the certificate."""
