"""Reports on calendars and address books, a module for each (RFC 3253 section 3.6)."""
