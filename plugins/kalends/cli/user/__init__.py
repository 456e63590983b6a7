"""``kalends user``: accounts and groups in Apache's user files."""
