"""The HTTP/1.1 side of a worker process: connections to WSGI, no thread held by a slow client.

Requests are parsed by httptools; whatever waits for a client, waits in one epoll. A thread runs the
application only when a request is there whole, and leaves it when the answer is ready.
"""
