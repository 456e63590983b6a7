"""The application of one process: its container, its WSGI stack, health, metrics and logs."""
