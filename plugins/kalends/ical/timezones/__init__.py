"""Time zones: definitions, offsets and the IANA database."""
