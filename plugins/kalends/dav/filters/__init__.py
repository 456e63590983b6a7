"""Filters of reports (RFC 4791 section 9.7, RFC 6352 section 10.5), read, and evaluated. Pure."""
