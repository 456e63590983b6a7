"""What nobody thought of: arbitrary bytes for the parsers and the login; see `atheris_run`."""
