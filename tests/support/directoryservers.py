"""Account directories other than user files: a real slapd, a real Dovecot, a real PAM."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.awaiting import await_that, listens
from support.process import ReservedPort, ServerProcess

READER, READER_PASSWORD = "cn=reader,dc=example,dc=org", "reading"

_SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
database mdb
suffix "dc=example,dc=org"
rootdn "{reader}"
rootpw {password}
directory {folder}/db
maxsize 10485760
"""
_LDIF = """dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

"""
_PERSON = """dn: uid={name},dc=example,dc=org
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {name}
userPassword: {password}

"""

_DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
{users}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/passwords
}}
userdb {{
  driver = static
  args = uid={user} gid=nogroup home={folder}/mail/%u
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
auth_failure_delay = 0
service anvil {{
  {chroot}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {folder}/auth-client {{
    mode = 0600
  }}
}}
"""


class Slapd:
    """OpenLDAP's server on a free port, with people below ``dc=example,dc=org``."""

    def __init__(self, folder: Path, people: dict[str, str]) -> None:
        self._reserved = ReservedPort()
        (folder / "db").mkdir(parents=True)
        config = folder / "slapd.conf"
        config.write_text(_SLAPD.format(folder=folder, reader=READER, password=READER_PASSWORD))
        ldif = folder / "people.ldif"
        entries = [_PERSON.format(name=name, password=word) for name, word in people.items()]
        ldif.write_text(_LDIF + "".join(entries))
        program = shutil.which("slapd") or "/usr/sbin/slapd"
        load = [program, "-Ta", "-f", str(config), "-l", str(ldif)]
        subprocess.run(load, check=True, capture_output=True)
        self.uri = f"ldap://127.0.0.1:{self._reserved.number}"
        self.process = ServerProcess(
            [program, "-h", self.uri, "-f", str(config), "-d", "256"],
            ready="slapd starting",
            folder=folder,
            environment={},
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens: it logs that it starts before it does."""
        self.process.start()
        await_that(lambda: listens(self._reserved.number))

    def options(self) -> dict[str, str]:
        """Return its options for ``[auth]`` in kalends.ini."""
        return {
            "ldap_uri": self.uri,
            "ldap_base": "dc=example,dc=org",
            "ldap_reader_dn": READER,
            "ldap_secret": READER_PASSWORD,
            "ldap_filter": "(uid={0})",
            "ldap_user_attribute": "uid",
        }

    def close(self) -> None:
        """Stop it."""
        self.process.stop()
        self._reserved.release()


class Dovecot:
    """Dovecot with IMAP on a free port, and with its socket for checking passwords."""

    def __init__(self, people: dict[str, str]) -> None:
        self._reserved = ReservedPort()
        # Its processes run as users who may not read a test's folder.
        self._folder = tempfile.TemporaryDirectory(prefix="kalends-dovecot-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)
        (folder / "passwords").write_text("".join(f"{n}:{w}\n" for n, w in people.items()))
        me = pwd.getpwuid(os.getuid()).pw_name
        root = os.geteuid() == 0
        config = folder / "dovecot.conf"
        config.write_text(
            _DOVECOT.format(
                folder=folder,
                port=self._reserved.number,
                user="nobody" if root else me,
                users=""
                if root
                else f"default_internal_user = {me}\ndefault_login_user = {me}\n"
                f"default_internal_group = {me}",
                chroot="" if root else "chroot =",
            )
        )
        self.address = f"127.0.0.1:{self._reserved.number}"
        self.socket = folder / "auth-client"
        program = shutil.which("dovecot") or "/usr/sbin/dovecot"
        self.process = ServerProcess(
            [program, "-F", "-c", str(config)],
            ready="starting up",
            folder=folder,
            environment={},
        )
        self.process.start()

    def close(self) -> None:
        """Stop it."""
        self.process.stop()
        self._reserved.release()
        self._folder.cleanup()


def pam_command_prefix(folder: Path, service: str, people: dict[str, str]) -> tuple[str, ...]:
    """Return a prefix for a command that runs it on a system where these people have accounts.

    The command runs in a mount namespace with its own /etc/passwd, /etc/shadow and /etc/pam.d.
    """
    folder.mkdir(parents=True)
    (folder / "pam.d").mkdir()
    (folder / "pam.d" / service).write_text(
        "auth required pam_unix.so\naccount required pam_unix.so\n"
    )
    passwd, shadow = Path("/etc/passwd").read_text(), ""
    for number, (name, word) in enumerate(people.items(), 4200):
        passwd += f"{name}:x:{number}:100::/nonexistent:/usr/sbin/nologin\n"
        made = ["openssl", "passwd", "-6", "-stdin"]
        hashed = subprocess.run(made, input=word, capture_output=True, text=True, check=True)
        shadow += f"{name}:{hashed.stdout.strip()}:20000:0:99999:7:::\n"
    (folder / "passwd").write_text(passwd)
    (folder / "shadow").write_text(shadow)
    (folder / "shadow").chmod(0o600)
    binds = " && ".join(
        f'mount --bind "{folder}/{n}" /etc/{n}' for n in ("passwd", "shadow", "pam.d")
    )
    unshared = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    return (*unshared, "sh", "-c", f'{binds} && exec "$@"', "sh")
