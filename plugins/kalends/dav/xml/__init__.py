"""XML bodies of WebDAV requests and responses."""
