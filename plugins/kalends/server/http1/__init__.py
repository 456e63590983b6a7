"""HTTP/1.1 server of a worker process, in which slow clients occupy no thread.

httptools parses the requests, and one epoll waits for all clients. A thread runs the application
only after a request has arrived completely, and is free again when the response is ready to send.
"""
