"""The configuration: the file, its schema, its options, and the typed settings."""
