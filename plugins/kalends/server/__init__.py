"""HTTP server: gunicorn's master and workers, the listening sockets, and HTTP/1.1."""
