"""Fuzz targets for the parsers and the login; see `atheris_run`."""
