"""Cyrus IMAP's CalDAV server as Debian packages it, with a configuration and data of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import smtplib
import subprocess
import sys
from pathlib import Path

from bench.events import Event
from bench.peers import PASSWORD, Peer, Progress
from bench.wire import Connection
from support.process import ServerDiedError
from support.server import basic

PACKAGES = ("cyrus-caldav", "sasl2-bin")
PROGRAMS = Path("/usr/lib/cyrus/bin")
CONFIGURATION = """\
configdirectory: {folder}/config
defaultpartition: default
partition-default: {folder}/spool
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
lmtpsocket: {folder}/run/lmtp
idlesocket: {folder}/run/idle
notifysocket: {folder}/run/notify
cyrus_user: {user}
servername: localhost
syslog_prefix: kalends-bench
httpmodules: caldav
allowplaintext: yes
httpallowplaintext: yes
httptimeout: 120
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb2
sasl_mech_list: PLAIN
virtdomains: off
conversations: no
search_engine: none
autocreate_quota: 0
autocreate_post: yes
autocreate_users: anyone
caldav_create_default: yes
caldav_create_attach: no
caldav_create_sched: no
caldav_allowscheduling: off
"""
# httpd keeps two processes ready and starts one for each further connection, up to its limit. lmtpd
# receives the first mail, which creates the account; no process of it runs afterwards.
SERVICES = """\
START {{
  recover cmd="ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  http cmd="httpd -C {folder}/imapd.conf -U 250" listen="127.0.0.1:{port}" prefork=2 maxchild=100
  lmtp cmd="lmtpd -C {folder}/imapd.conf -T 1" listen="{folder}/run/lmtp" prefork=0 maxchild=1
}}
EVENTS {{
  checkpoint cmd="ctl_cyrusdb -C {folder}/imapd.conf -c" period=30
}}
"""


def available() -> bool:
    """Return True if Cyrus is installed; install it if it is missing and this is root."""
    if (PROGRAMS / "httpd").exists() and shutil.which("saslpasswd2"):
        return True
    apt = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.stderr.write(f"Cyrus is skipped: it is not installed. As root: {' '.join(apt)}\n")
        return False
    sys.stderr.write(f"installing {' '.join(PACKAGES)}\n")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], apt):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=quiet)
    stop_packaged_service()
    return True


def version() -> str:
    """Return the installed version of Cyrus, without Debian's revision."""
    query = ["dpkg-query", "--show", "--showformat=${Version}", PACKAGES[0]]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.split("-")[0]


def stop_packaged_service() -> None:
    """Stop and disable the package's service; the bench starts its own server."""
    for command in (
        ["invoke-rc.d", "cyrus-imapd", "stop"],
        ["update-rc.d", "cyrus-imapd", "disable"],
    ):
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Cyrus(Peer):
    """Cyrus' master with only httpd, logins from a file of its own, no search index, no log."""

    calendar = "/dav/calendars/user/bench/Default/"
    home = "/dav/calendars/user/bench/"
    feed: str | None = None
    gives_whole = False
    ready = "starting master"

    def command(self) -> list[str]:
        line = [str(PROGRAMS / "master"), "-C", str(self.folder / "imapd.conf")]
        line += ["-M", str(self.folder / "cyrus.conf"), "-p", str(self.folder / "master.pid")]
        # master does not announce that it serves; a connection shows that it listens.
        return ["sh", "-c", f'echo "{self.ready}"; exec "$@"', "sh", *line]

    def prepare(self, events: list[Event], progress: Progress) -> None:
        self.configure()
        self.headers = {"Authorization": basic("bench", PASSWORD)}
        self.start()
        self.make_account()
        connection = Connection(self.port)
        fields = {**self.headers, "Content-Type": "text/calendar; charset=utf-8"}
        for event in progress(events):
            reply = connection.ask("PUT", self.calendar + event.name, fields, event.text.encode())
            if reply.status != 201:
                raise ServerDiedError(f"{self.name}: PUT {event.name} answered {reply.status}")
        connection.close()
        self.process.stop()

    def configure(self) -> None:
        """Write its files, all in its folder and readable by the user that it runs as."""
        for name in ("config", "spool", "run"):
            (self.folder / name).mkdir()
        root = os.geteuid() == 0
        values = {"folder": self.folder, "user": "cyrus" if root else getpass.getuser()}
        (self.folder / "imapd.conf").write_text(CONFIGURATION.format(**values))
        (self.folder / "cyrus.conf").write_text(SERVICES.format(**values, port=self.port))
        database = str(self.folder / "sasldb2")
        command = ["saslpasswd2", "-p", "-c", "-f", database, "-u", "localhost", "bench"]
        subprocess.run(command, check=True, input=PASSWORD.encode())
        if root:
            self.folder.parent.chmod(0o711)  # a temporary folder is closed to other users
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, "cyrus")

    def make_account(self) -> None:
        """Create the account's inbox by a first mail, as Cyrus requires."""
        with smtplib.LMTP(str(self.folder / "run/lmtp")) as client:
            client.sendmail("", ["bench"], b"Subject: first\r\n\r\n")
