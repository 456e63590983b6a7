"""The HTTP server: gunicorn's master and worker, their sockets, and HTTP/1.1."""
