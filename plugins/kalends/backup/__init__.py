"""Backup of database, keys and settings in one file, and the restore from it."""
