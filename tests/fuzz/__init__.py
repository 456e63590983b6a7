"""Fuzz targets for the parsers, the login and the HTTP reader; see `atheris_run`."""
