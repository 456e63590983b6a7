"""Backups: one file with the database, the keys and the settings, and the way back from it."""
