"""WSGI script for mod_wsgi; service.conf names the configuration (SetEnv KALENDS_CONFIG)."""

import os

from kalends import wsgi


def application(environ, start_response):
    os.environ["KALENDS_CONFIG"] = environ["KALENDS_CONFIG"]
    return wsgi.application(environ, start_response)
