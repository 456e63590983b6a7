"""Synchronisation in both directions by vdirsyncer, with a server of three workers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.samples import event
from support.server import BIN, KalendsServer

CONFIG = """
[general]
status_path = "{folder}/status/"

[pair files]
a = "vdir"
b = "alice"
collections = ["calendar"]
conflict_resolution = {conflict}
metadata = ["displayname", "color"]

[pair servers]
a = "alice"
b = "bob"
collections = [["shared", "calendar", "calendar"]]
conflict_resolution = {conflict}

[storage vdir]
type = "filesystem"
path = "{folder}/vdir/"
fileext = ".ics"

[storage alice]
type = "caldav"
url = "{url}"
username = "alice"
password = "wonderland"

[storage bob]
type = "caldav"
url = "{url}"
username = "bob"
password = "builder"
"""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[KalendsServer]:
    """Run a server with three worker processes."""
    users = {"alice": "wonderland", "bob": "builder"}
    running = KalendsServer(tmp_path / "server", users=users, workers=3)
    yield running
    running.close()


class Syncer:
    """vdirsyncer with a configuration and a status folder of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.vdir = folder / "vdir" / "calendar"
        self.vdir.mkdir(parents=True)
        self.resolve("null")

    def resolve(self, conflict: str) -> None:
        """Set the winner of a conflict: `null`, `"a wins"` or `"b wins"`, with its quotes."""
        text = CONFIG.format(folder=self.folder, url=self.url, conflict=conflict)
        (self.folder / "config").write_text(text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run vdirsyncer and return its result."""
        return subprocess.run(
            [str(BIN / "vdirsyncer"), "--config", str(self.folder / "config"), *arguments],
            capture_output=True,
            text=True,
            input="y\n" * 20,
            env={**os.environ, "HOME": str(self.folder)},
            check=False,
        )

    def sync(self, pair: str) -> None:
        """Sync a pair; fail if vdirsyncer fails."""
        done = self.run("sync", pair)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def syncer(tmp_path: Path, workers: KalendsServer) -> Syncer:
    """Return a vdirsyncer that has discovered both pairs."""
    made = Syncer(tmp_path / "vdirsyncer", workers.url)
    done = made.run("discover")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def stored(server: KalendsServer, user: str, name: str) -> str | None:
    """Return an object of the user's calendar, or None if it does not exist."""
    answer = server.request("GET", f"/{user}/calendar/{name}", user=user)
    assert answer.status in (200, 404)
    return answer.text if answer.status == 200 else None


def put(server: KalendsServer, user: str, name: str, text: str) -> None:
    """Store an object in the user's calendar."""
    assert server.request("PUT", f"/{user}/calendar/{name}", user=user, body=text).status < 300


def names_by_uid(syncer: Syncer) -> dict[str, Path]:
    """Return the files of the vdir by the UID in them."""
    found = {}
    for path in syncer.vdir.glob("*.ics"):
        text = path.read_text()
        found[text.split("UID:")[1].split()[0]] = path
    return found


def test_changes_are_synced_between_files_and_server(
    workers: KalendsServer, syncer: Syncer
) -> None:
    for number in range(40):
        (syncer.vdir / f"f{number}.ics").write_text(event(f"f{number}", f"File {number}"))
        put(workers, "alice", f"s{number}.ics", event(f"s{number}", f"Server {number}"))
    syncer.sync("files")
    assert set(names_by_uid(syncer)) == {f"{side}{n}" for side in "fs" for n in range(40)}
    listed = workers.request(
        "PROPFIND", "/alice/calendar/", user="alice", headers={"Depth": "1"}
    ).text
    assert listed.count(".ics</") == 80
    # changes and deletions on either side
    names_by_uid(syncer)["s1"].write_text(event("s1", "Changed in the file"))
    names_by_uid(syncer)["s2"].unlink()
    put(workers, "alice", "s3.ics", event("s3", "Changed on the server"))
    assert workers.request("DELETE", "/alice/calendar/s4.ics", user="alice").status < 300
    syncer.sync("files")
    assert "Changed in the file" in (stored(workers, "alice", "s1.ics") or "")
    assert stored(workers, "alice", "s2.ics") is None
    assert "Changed on the server" in names_by_uid(syncer)["s3"].read_text()
    assert "s4" not in names_by_uid(syncer)
    syncer.sync("files")
    assert len(names_by_uid(syncer)) == 78
    assert "Traceback" not in workers.log


def test_a_conflict_is_reported_and_then_resolved_as_configured(
    workers: KalendsServer, syncer: Syncer
) -> None:
    put(workers, "alice", "both.ics", event("both", "Original"))
    syncer.sync("files")
    names_by_uid(syncer)["both"].write_text(event("both", "From the file"))
    put(workers, "alice", "both.ics", event("both", "From the server"))
    refused = syncer.run("sync", "files")
    assert refused.returncode != 0
    assert "conflict" in (refused.stdout + refused.stderr).lower()
    assert "From the server" in (stored(workers, "alice", "both.ics") or "")
    syncer.resolve('"a wins"')
    syncer.sync("files")
    assert "From the file" in (stored(workers, "alice", "both.ics") or "")


def test_two_calendars_on_the_server_are_synced(workers: KalendsServer, syncer: Syncer) -> None:
    for number in range(20):
        put(workers, "alice", f"a{number}.ics", event(f"a{number}", f"Alice {number}"))
        put(workers, "bob", f"b{number}.ics", event(f"b{number}", f"Bob {number}"))
    syncer.sync("servers")

    def uids(user: str) -> set[str]:
        whole = workers.request("GET", f"/{user}/calendar/", user=user).text
        return {line.removeprefix("UID:") for line in whole.splitlines() if line.startswith("UID:")}

    everything = {f"{side}{n}" for side in "ab" for n in range(20)}
    assert uids("alice") == uids("bob") == everything
    assert workers.request("DELETE", "/alice/calendar/a7.ics", user="alice").status < 300
    syncer.sync("servers")
    assert uids("alice") == uids("bob") == everything - {"a7"}


def test_the_name_of_a_calendar_is_synced(workers: KalendsServer, syncer: Syncer) -> None:
    # The calendar has a name already, which that of the file replaces.
    syncer.resolve('"a wins"')
    (syncer.vdir / "displayname").write_text("Named in a file")
    done = syncer.run("metasync", "files")
    assert done.returncode == 0, done.stdout + done.stderr
    answer = workers.request(
        "PROPFIND",
        "/alice/calendar/",
        user="alice",
        headers={"Depth": "0"},
        body='<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>',
    )
    assert "Named in a file" in answer.text


HOME = """
[general]
status_path = "{folder}/status/"

[pair home]
a = "vdir"
b = "alice"
collections = ["from b"]

[storage vdir]
type = "filesystem"
path = "{folder}/vdir/"
fileext = ".ics"

[storage alice]
type = "caldav"
url = "{url}"
username = "alice"
password = "wonderland"
"""


def test_a_private_calendar_and_those_of_groups_stay_apart(tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    groups.write_text("family: alice bob\nchess: alice\n")
    users = {"alice": "wonderland", "bob": "builder"}
    options = {"auth": {"htgroup_filename": str(groups)}}
    server = KalendsServer(tmp_path / "server", users=users, options=options)
    try:
        syncer = Syncer(tmp_path / "vdirsyncer", server.url)
        (syncer.folder / "config").write_text(HOME.format(folder=syncer.folder, url=server.url))
        done = syncer.run("discover")
        assert done.returncode == 0, done.stdout + done.stderr
        put(server, "alice", "mine.ics", event("mine", "Private"))
        syncer.sync("home")
        for name in ("calendar", "family", "chess"):
            new = syncer.folder / "vdir" / name / f"new-{name}.ics"
            new.write_text(event(f"new-{name}", f"For {name}"))
        syncer.sync("home")
        assert (syncer.folder / "vdir" / "calendar" / "mine.ics").exists()
        for path in ("/alice/calendar/", "/GROUPS/family/family/", "/GROUPS/chess/chess/"):
            whole = server.request("GET", path, user="alice").text
            name = path.split("/")[-2]
            mine = {"mine"} if name == "calendar" else set()
            assert uids_in(whole) == {f"new-{name}", *mine}
    finally:
        server.close()


def uids_in(whole: str) -> set[str]:
    """Return the UIDs in a file of a whole calendar."""
    return {line.removeprefix("UID:") for line in whole.splitlines() if line.startswith("UID:")}
