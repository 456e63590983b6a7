"""Real web servers with the files of ``deploy/``, and with the ports and folders of a test."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.apache import _MODULES, _PLUGINS, apache_command, apache_process
from support.nginx import nginx_process
from support.process import ReservedPort, ServerProcess
from support.webserver import Certificate, WebServer

DEPLOY = Path(__file__).parent.parent.parent / "deploy"

# The modules that Debian's apache2 loads by default, and those that deploy/README.md enables.
_MODULES_LOADED = (
    *("mpm_event", "alias", "authn_core", "authn_file", "authz_core", "authz_host", "authz_user"),
    *("auth_basic", "authz_groupfile", "autoindex", "dir", "env", "mime", "negotiation"),
    *("reqtimeout", "setenvif", "status", "headers", "ssl", "proxy", "proxy_http", "auth_digest"),
)

_APACHE = """
{modules}
ServerRoot {folder}
ServerName 127.0.0.1
PidFile httpd.pid
Mutex file:{folder}
Listen 127.0.0.1:{http}
Listen 127.0.0.1:{https}
StartServers 1
LogLevel warn
ErrorLog /dev/stderr
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
TypesConfig /dev/null
DocumentRoot {folder}/htdocs
Define APACHE_LOG_DIR {folder}
WSGISocketPrefix /tmp/kalends-wsgi
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory {folder}/htdocs>
    Require all granted
</Directory>
Include {site}
"""


@dataclass(frozen=True)
class Backend:
    """A Kalends behind a web server: its address, and the files that the web server reads.

    Attributes:
        address: the path of its Unix socket, or ``host:port``.
        config: its configuration file.
        passwords: the user file.
        digests: the user file for Digest.
        feeds: the folder of published feeds.
    """

    address: str
    config: Path
    passwords: Path
    digests: Path
    feeds: Path


class Deployed(WebServer):
    """A web server that serves Kalends over TLS, and redirects plain HTTP; each has its own port.

    Args:
        folder: the folder of its files.
        backend: the Kalends behind it.
        prefix: the path below which it serves Kalends; empty for the root.
        login: the scheme with which the web server asks for a login, ``Basic`` or ``Digest``;
            empty if Kalends asks.
    """

    certificate: Certificate
    way: str
    check_command: list[str]
    """The command with which it checks its own files; set once it has started."""
    _environment: Path | None = None
    _reload_signal = signal.SIGHUP

    def __init__(
        self, folder: Path, backend: Backend, *, prefix: str = "", login: str = ""
    ) -> None:
        self.backend, self.prefix, self.login = backend, prefix, login
        self._plain = ReservedPort()
        self.http_port = self._plain.number
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, Certificate.create_in(folder))

    @property
    def base(self) -> str:
        """The address of Kalends, without a slash at its end."""
        return self.url.rstrip("/") + self.prefix

    def reload(self) -> None:
        """Reload its files, as ``systemctl reload`` does."""
        os.kill(self._process.pid, self._reload_signal)

    def read_access_log(self) -> str:
        """Return the text of its access log."""
        return (self.folder / "kalends.log").read_text()

    def close(self) -> None:
        """Stop it and release its ports."""
        super().close()
        self._plain.release()
        if self._environment:
            shutil.rmtree(self._environment)


class DeployedApache(Deployed):
    """Apache with ``deploy/apache``; only the lines of settings.conf are changed."""

    way = "PROXY"
    switches: tuple[str, ...] = ()
    """Further definitions of settings.conf to switch on, without their ``KALENDS_``."""
    _reload_signal = signal.SIGUSR1

    def _create_process(self) -> ServerProcess:
        (self.folder / "htdocs").mkdir(exist_ok=True)
        self._environment = _environment()
        files = self.folder / "kalends"
        shutil.copytree(DEPLOY / "apache" / "kalends", files, dirs_exist_ok=True)
        settings = files / "settings.conf"
        settings.write_text(self.settings(settings.read_text()))
        config = self.folder / "apache2.conf"
        loaded = (*_MODULES_LOADED, "wsgi")
        config.write_text(
            _APACHE.format(
                modules="\n".join(f"LoadModule {n}_module {_MODULES}/mod_{n}.so" for n in loaded),
                folder=self.folder,
                http=self.http_port,
                https=self.port,
                site=DEPLOY / "apache" / "site.conf",
            )
        )
        self.check_command = [*apache_command(config), "-t"]
        return apache_process(config)

    def settings(self, shipped: str) -> str:
        """Return the shipped settings with this test's values and switches."""
        kalends = self.backend
        address = kalends.address
        unix = address.startswith("/")
        target = f"unix:{address}|http://kalends" if unix else f"http://{address}"
        values = {
            "NAME": "localhost",
            "HTTP": str(self.http_port),
            "HTTPS": str(self.port),
            "CERTIFICATE": str(self.certificate.chain),
            "KEY": str(self.certificate.key),
            "AT": f"{self.prefix}/",
            "BACKEND": target,
            "HOME": str(self._environment),
            "SCRIPT": str(self.folder / "kalends" / "kalends.wsgi"),
            "INI": str(kalends.config),
            "USER": "www-data",
            "PASSWORDS": str(kalends.passwords),
            "DIGESTS": str(kalends.digests),
            "FEEDS": str(kalends.feeds),
        }
        text = shipped
        for name, value in values.items():
            text = _replaced(text, rf"(?m)^(Define KALENDS_{name}) .*$", rf"\1 {value}")
        if self.way != "PROXY":
            text = _replaced(text, r"(?m)^Define KALENDS_BY_PROXY$", "#Define KALENDS_BY_PROXY")
            text = _replaced(text, rf"(?m)^#(Define KALENDS_BY_{self.way})$", r"\1")
        if self.login:
            text = _replaced(text, r"(?m)^#(Define KALENDS_LOGIN)$", r"\1")
        if self.login == "Digest":
            text = _replaced(text, r"(?m)^#(Define KALENDS_DIGEST)$", r"\1")
        for name in self.switches:
            text = _replaced(text, rf"(?m)^#(Define KALENDS_{name})$", r"\1")
        return text


class DeployedWsgi(DeployedApache):
    """Apache with ``deploy/apache``, and Kalends within it (mod_wsgi)."""

    way = "WSGI"


class DeployedNginx(Deployed):
    """nginx with ``deploy/nginx``; only names, ports and folders are changed."""

    way = "nginx"

    def _create_process(self) -> ServerProcess:
        files = self.folder / "kalends"
        shutil.copytree(DEPLOY / "nginx" / "kalends", files, dirs_exist_ok=True)
        name = "prefix-site.conf" if self.prefix else "site.conf"
        shutil.copy(DEPLOY / "nginx" / name, self.folder / "site.conf")
        used = [*files.iterdir(), self.folder / "site.conf"]
        together = "".join(file.read_text() for file in used)
        for old, new in self.replaced().items():
            assert old in together, f"deploy/nginx does not say {old!r}"
            for file in used:
                file.write_text(file.read_text().replace(old, new))
        if self.login:
            for file in (files / "root.conf", files / "prefix.conf"):
                text = _replaced(file.read_text(), r"#(include kalends/login.conf;)", r"\1")
                file.write_text(text)
        process = nginx_process(self.folder, "include kalends/http.conf;\ninclude site.conf;")
        self.check_command = [*process.command, "-t"]
        return process

    def replaced(self) -> Mapping[str, str]:
        """Return this test's replacements for texts of the shipped files."""
        kalends, host = self.backend, "www.example.org" if self.prefix else "dav.example.org"
        address = kalends.address
        upstream = f"unix:{address}" if address.startswith("/") else address
        letsencrypt = f"/etc/letsencrypt/live/{host}"
        found = {
            f"{letsencrypt}/fullchain.pem": str(self.certificate.chain),
            f"{letsencrypt}/privkey.pem": str(self.certificate.key),
            host: "localhost",
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "unix:/run/kalends/kalends.sock": upstream,
            "/etc/kalends/users.htpasswd": str(kalends.passwords),
            "/var/lib/kalends/feeds": str(kalends.feeds),
            "/var/log/nginx/": f"{self.folder}/",
        }
        if self.prefix:
            found |= {"root /var/www/html": f"root {self.folder}", "/access.log": "/kalends.log"}
        else:
            found |= {"listen 80": f"listen 127.0.0.1:{self.http_port}"}
        return found


def _environment() -> Path:
    """Create an environment for mod_wsgi: Debian's Python with the packages of these tests.

    It is not in the test's folder, which is closed to other users: mod_wsgi checks with access(2)
    that it can read the environment, and access(2) ignores capabilities.
    """
    folder = Path(tempfile.mkdtemp(prefix="kalends-environment-"))
    folder.chmod(0o755)
    packages = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True, exist_ok=True)
    (packages / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n{_PLUGINS}\n")
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "python").unlink(missing_ok=True)
    (folder / "bin" / "python").symlink_to("/usr/bin/python3")
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    return folder


def _replaced(text: str, pattern: str, replacement: str) -> str:
    """Return the text with each match replaced; fail if there is none."""
    changed, count = re.subn(pattern, replacement, text)
    assert count, f"no line matches {pattern!r}"
    return changed
