"""Demo installation for ``make run``: a configuration, one account and feeds in a folder."""

from __future__ import annotations

import secrets
from pathlib import Path

import bcrypt

from kalends.authn.schemes.digest import digest
from kalends.common import private
from kalends.errors import ConfigurationError

_CONFIGURATION = """\
# Written by `make run`; config/kalends.ini lists the other options.
[server]
hosts = 127.0.0.1:5232

[auth]
type = kalends.auth
htpasswd_filename = {folder}/users.htpasswd
htdigest_filename = {folder}/users.htdigest
htgroup_filename = {folder}/groups
realm = {realm}
schemes = digest, basic

[rights]
type = kalends.rights

[storage]
type = kalends.storage
database = sqlite:///{folder}/kalends.db

[web]
type = kalends.web

[kalends]
feeds = {folder}/feeds.toml
feeds_folder = {folder}/feeds
workers = 2
"""

_FEEDS = """\
# One merged feed for each account: /feeds/ACCOUNT.ics
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

# One feed of all accounts, for everyone who logs in: /feeds/everyone.ics
[feed.everyone]
calendars = ["*/*"]
access = "login"
private = "busy"
"""

_GROUPS = """\
# Members share the calendars of their groups, which are listed in their homes:
#family: demo alice bob
"""

USER = "demo"
REALM = "calendars"


def prepare(folder: Path) -> Path:
    """Create the files of the demo that are missing in ``folder``.

    Returns:
        the path of its configuration file.

    Raises:
        ConfigurationError: the folder cannot be created or written.
    """
    folder = folder.absolute()
    configuration = folder / "kalends.ini"
    try:
        private.make_folder(folder)
        if not (folder / "users.htpasswd").exists():
            password = secrets.token_urlsafe(9)
            _write(folder / "password", password + "\n", 0o600)
            line = f"{USER}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode()}\n"
            _write(folder / "users.htpasswd", line, 0o640)
            ha1 = digest("MD5", USER.encode(), REALM.encode(), password.encode()).decode()
            _write(folder / "users.htdigest", f"{USER}:{REALM}:{ha1}\n", 0o600)
            _write(folder / "groups", _GROUPS, 0o644)
        if not (folder / "feeds.toml").exists():
            _write(folder / "feeds.toml", _FEEDS, 0o644)
        if not configuration.exists():
            _write(configuration, _CONFIGURATION.format(folder=folder, realm=REALM), 0o644)
    except OSError as error:
        raise ConfigurationError(str(folder), f"cannot be written: {error.strerror}") from None
    return configuration


def announcement(folder: Path, url: str) -> str:
    """Return the addresses and the login of a demo server at ``url``, for its first user."""
    try:
        password = (folder / "password").read_text().strip()
    except OSError:
        password = "as you chose it"  # noqa: S105 - shown in place of a password
    return f"""\
  CalDAV and CardDAV  {url}{USER}/
  login               {USER}, password {password}
  merged feed         {url}feeds/{USER}.ics
  everyone's feed     {url}feeds/everyone.ics
  the same as a page  {url}feeds/{USER}/
  your account        {url}.web/account/
Stop with Ctrl-C.
"""


def _write(path: Path, text: str, mode: int) -> None:
    path.touch(mode=mode)
    path.write_text(text)
