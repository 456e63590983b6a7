"""WebDAV properties of collections and of objects."""
