"""WSGI middleware: trusted proxies and request IDs."""
