"""A real nginx, and its directives for Kalends behind it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from support.process import ServerProcess
from support.webserver import Certificate, WebServer

_CONFIGURATION = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr notice;
worker_processes 1;
events {{ }}
http {{
    {temporary}
    {http}
}}
"""

_SERVER = """
access_log {folder}/access.log;
server {{
    listen 127.0.0.1:{port}{ssl};
    server_name localhost;
    root {folder}/html;
    {tls}
    {server_block}
}}
"""

_TLS = """
ssl_certificate {certificate.chain};
ssl_certificate_key {certificate.key};
"""

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx_process(folder: Path, http: str) -> ServerProcess:
    """Return the process of an nginx in the foreground; ``http`` holds its http directives."""
    file = folder / "nginx.conf"
    file.write_text(
        _CONFIGURATION.format(
            # As the user who runs the tests, nginx can read their files, wherever they are.
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            temporary="".join(f"{n}_temp_path {folder}/{n};\n" for n in _TEMPORARY),
            http=http,
        )
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return ServerProcess(
        [program, "-c", str(file), "-p", str(folder)],
        ready="start worker processes",
        folder=folder,
        environment={},
    )


class RealNginx(WebServer):
    """An nginx in the foreground with its own configuration; it is not a system service.

    Args:
        folder: the folder of its files; it serves the files in ``html`` below it.
        server_block: directives of its one server, of `proxy_directives` or the test's own.
        certificate: its certificate for TLS; without one it uses plain HTTP.
    """

    def __init__(
        self, folder: Path, server_block: str, *, certificate: Certificate | None = None
    ) -> None:
        self._server_block = server_block
        super().__init__(folder, certificate)

    def _create_process(self) -> ServerProcess:
        (self.folder / "html").mkdir(exist_ok=True)
        return nginx_process(
            self.folder,
            _SERVER.format(
                folder=self.folder,
                port=self.port,
                ssl=" ssl" if self.certificate else "",
                tls=_TLS.format(certificate=self.certificate) if self.certificate else "",
                server_block=self._server_block,
            ),
        )


def login_directives(user_file: Path, realm: str) -> str:
    """Return directives that let nginx ask for a login itself."""
    return f'auth_basic "{realm}";\nauth_basic_user_file {user_file};'


def proxy_directives(backend: str, *, prefix: str = "/", login: str = "") -> str:
    """Return directives for a reverse proxy.

    The request target is passed on as the client wrote it, except the prefix, which is passed on
    as X-Script-Name. The name of the user who logged in at nginx is passed on as X-Remote-User;
    the password is not.

    Args:
        backend: the backend's URL, with a slash at its end.
        prefix: the path of Kalends for clients, with slashes at both ends.
        login: the result of `login_directives`, if nginx is to ask for a login.
    """
    # With a path in proxy_pass, nginx would send a path that it has decoded and encoded again.
    target, host = "", backend.rstrip("/")
    if prefix != "/":
        # A capture with a number would be encoded once more.
        target = f'if ($request_uri !~ "^{prefix[:-1]}(?<target>/.*)$") {{ return 400; }}'
    return f"""
location {prefix} {{
    {target}
    proxy_pass {host}{"$target" if target else ""};
    proxy_http_version 1.1;
    client_max_body_size 0;
    proxy_set_header Host $http_host;
    proxy_set_header Forwarded "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host "";
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Script-Name "{prefix.rstrip("/")}";
    {login}
    proxy_set_header X-Remote-User {"$remote_user" if login else '""'};
    {'proxy_set_header Authorization "";' if login else ""}
}}
"""
