"""WebDAV, CalDAV and CardDAV: one resource for each path, one method for each request."""
