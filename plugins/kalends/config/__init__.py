"""The configuration: the file, its schema, its options, and the settings made of them."""
