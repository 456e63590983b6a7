"""A real Apache httpd of Debian, and its directives for Kalends behind it."""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
from pathlib import Path

import kalends
from support.process import ServerProcess
from support.webserver import Certificate, WebServer

_MODULES = Path("/usr/lib/apache2/modules")
# The modules that every server loads, besides those that are built in.
_LOADED = (
    *("mpm_event", "alias", "dir", "env", "headers", "mime", "setenvif"),
    *("auth_basic", "auth_digest", "authn_core", "authn_file"),
    *("authz_core", "authz_groupfile", "authz_user"),
    *("proxy", "proxy_http", "ssl"),
)
_PLUGINS = Path(kalends.__file__).parent.parent

# Apache does not run as root. So root becomes Debian's user for web servers here, and keeps the
# capabilities for reading the files of a test, wherever they are.
_CAPABILITIES = "+dac_override,+fowner"
_AS_WEB_USER = [
    *("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups"),
    *(f"--inh-caps={_CAPABILITIES}", f"--ambient-caps={_CAPABILITIES}"),
]

_CONFIGURATION = """
{modules}
ServerRoot {folder}
ServerName 127.0.0.1:{port}
PidFile httpd.pid
Mutex file:{folder}
Listen 127.0.0.1:{port}
StartServers 1
Timeout 30
ErrorLog /dev/stderr
LogFormat "%h %u \\"%r\\" %>s" short
CustomLog access.log short
TypesConfig /dev/null
DocumentRoot {folder}/htdocs
{tls}
{config}
"""

_TLS = """
SSLEngine on
SSLCertificateFile {certificate.chain}
SSLCertificateKeyFile {certificate.key}
"""


def apache_command(file: Path) -> list[str]:
    """Return the command of Apache with a configuration file; its action is to be appended."""
    return [shutil.which("apache2") or "/usr/sbin/apache2", "-f", str(file)]


def apache_process(file: Path) -> ServerProcess:
    """Return the process of an Apache in the foreground, in its configuration file's folder."""
    command = [*apache_command(file), "-DFOREGROUND"]
    if os.geteuid() == 0:
        command = [*_AS_WEB_USER, *command]
    return ServerProcess(
        command,
        ready="resuming normal operations",
        folder=file.parent,
        # No compiled modules of another user in the checkout.
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
    )


class RealApache(WebServer):
    """An Apache in the foreground with its own configuration; it is not a system service.

    Args:
        folder: its ServerRoot; what is in ``htdocs`` below it is served.
        config: directives of the main server, of a function of this module or the test's own.
        certificate: its certificate for TLS; without one it uses plain HTTP.
    """

    def __init__(
        self, folder: Path, config: str, *, certificate: Certificate | None = None
    ) -> None:
        self._config = config
        super().__init__(folder, certificate)

    def _create_process(self) -> ServerProcess:
        (self.folder / "htdocs").mkdir(exist_ok=True)
        modules = [f"LoadModule {n}_module {_MODULES}/mod_{n}.so" for n in _LOADED]
        file = self.folder / "httpd.conf"
        file.write_text(
            _CONFIGURATION.format(
                modules="\n".join(modules),
                folder=self.folder,
                port=self.port,
                tls=_TLS.format(certificate=self.certificate) if self.certificate else "",
                config=self._config,
            )
        )
        return apache_process(file)


def login_directives(
    user_file: Path, realm: str, *, kind: str = "Basic", require: str = "valid-user"
) -> str:
    """Return directives that let Apache ask for a login itself.

    Args:
        user_file: its AuthUserFile.
        realm: its AuthName.
        kind: ``Basic`` or ``Digest``.
        require: the users who are let in, as Apache's Require names them.
    """
    return f"""
AuthType {kind}
AuthName "{realm}"
Auth{kind}Provider file
AuthUserFile "{user_file}"
Require {require}
"""


def dav_directives(folder: Path, *, kind: str, user_file: Path, realm: str) -> str:
    """Return directives for WebDAV below ``/dav/``; create its folder ``dav``.

    Args:
        folder: the server's folder.
        kind: ``Basic`` or ``Digest``.
        user_file: the file of its users.
        realm: the realm of the login.
    """
    (folder / "dav").mkdir(parents=True, exist_ok=True)
    (folder / "dav").chmod(0o777)
    modules = [f"LoadModule {n}_module {_MODULES}/mod_{n}.so" for n in ("dav", "dav_fs")]
    return "\n".join(
        [
            *modules,
            f'DavLockDB "{folder}/davlock"',
            f'Alias "/dav" "{folder}/dav"',
            "<Location /dav>",
            "Dav On",
            login_directives(user_file, realm, kind=kind),
            "</Location>",
        ]
    )


def proxy_directives(backend: str, *, prefix: str = "/", login: str = "") -> str:
    """Return directives for a reverse proxy.

    The request target is passed on as the client wrote it, except the prefix, which is passed on
    as X-Script-Name. The name of the user who logged in at Apache is passed on as X-Remote-User;
    the password is not.

    Args:
        backend: the backend's URL, with a slash at its end.
        prefix: the path of Kalends for clients, with slashes at both ends.
        login: the result of `login_directives`, if Apache is to ask for a login.
    """
    if login:
        identity = (
            "RequestHeader set X-Remote-User expr=%{REMOTE_USER}\nRequestHeader unset Authorization"
        )
    else:
        identity = "RequestHeader unset X-Remote-User"
    script = f"set X-Script-Name {prefix.rstrip('/')}" if prefix != "/" else "unset X-Script-Name"
    return f"""
AllowEncodedSlashes NoDecode
ProxyPreserveHost On
<Location {prefix}>
    ProxyPass {backend} nocanon retry=0
    RequestHeader unset Forwarded
    RequestHeader unset X-Forwarded-For
    RequestHeader unset X-Forwarded-Host
    RequestHeader unset X-Forwarded-Server
    RequestHeader set X-Forwarded-Proto expr=%{{REQUEST_SCHEME}}
    RequestHeader {script}
    {login}
    {identity}
</Location>
"""


def mod_wsgi_directives(
    kalends_config: Path,
    folder: Path,
    *,
    prefix: str = "/",
    pass_authorization: bool = True,
    login: str = "",
) -> str:
    """Return directives for Kalends within mod_wsgi, in a daemon process of its own.

    Args:
        kalends_config: the configuration file of Kalends.
        folder: the folder for the script that mod_wsgi loads.
        prefix: the path of Kalends for clients, with slashes at both ends.
        pass_authorization: whether Kalends gets the Authorization header.
        login: the result of `login_directives`, if Apache is to ask for a login.
    """
    script = folder / "kalends.wsgi"
    folder.mkdir(parents=True, exist_ok=True)
    script.write_text(
        "import os\n"
        f"os.environ['KALENDS_CONFIG'] = {str(kalends_config)!r}\n"
        "from kalends.wsgi import application\n"
    )
    # The path of a socket is limited to about a hundred bytes, too few for one in a test's folder.
    # Apache adds its process id.
    sockets = Path(tempfile.gettempdir()) / "kalends-wsgi"
    path = f"{_PLUGINS}:{sysconfig.get_path('purelib')}"
    # mod_wsgi is built for Debian's Python, and would take the first one in the PATH for its home.
    return f"""
LoadModule wsgi_module {_MODULES}/mod_wsgi.so
AllowEncodedSlashes NoDecode
WSGISocketPrefix {sockets}
WSGIDaemonProcess kalends processes=1 threads=8 python-home=/usr python-path={path}
WSGIProcessGroup kalends
WSGIApplicationGroup %{{GLOBAL}}
WSGIPassAuthorization {"On" if pass_authorization else "Off"}
WSGIScriptAlias {prefix.rstrip("/") or "/"} "{script}"
<Location />
    {login or "Require all granted"}
</Location>
"""
