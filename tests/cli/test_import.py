"""``kalends import``: its output, and its progress on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from pathlib import Path

import pytest

from kalends.cli.main import main
from support.installation import Installation, event
from support.server import BIN


def run(
    installation: Installation, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["import", "--config", str(installation.config), *arguments])
    printed = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, printed.out, printed.err


def test_a_component_that_the_calendar_refuses_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path)
    file = tmp_path / "mixed.ics"
    task = event("t").replace(b"VEVENT", b"VTODO").split(b"EN\r\n", 1)[1]
    file.write_bytes(event("a").replace(b"END:VCALENDAR\r\n", task))
    status, out, err = run(installation, capsys, "--into", "alice/calendar", str(file))
    assert status == 1
    assert out == "1 files: 1 added, 0 changed, 0 unchanged, 1 refused\n"
    assert err == f"{file}:11: the calendar does not accept VTODO components\n"


def test_characters_that_cannot_be_stored_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path)
    file = tmp_path / "odd.ics"
    file.write_bytes(event("a", summary="Lu\x0bn\uffffch\0"))
    status, out, _ = run(installation, capsys, "--into", "alice/calendar", str(file))
    assert status == 0
    assert out == (
        f"note: {file}: 3 control characters were left out, from line 9 on\n"
        "1 files: 1 added, 0 changed, 0 unchanged, 0 refused\n"
    )
    with installation.client() as client:
        (name,) = set(client.props("/alice/calendar/", "D:getetag", depth="1")) - {
            "/alice/calendar/"
        }
        assert b"\r\nSUMMARY:Lunch\r\n" in client("GET", name).body


def test_cards_are_imported_only_into_address_books(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path)
    file = tmp_path / "friends.export"
    file.write_text("BEGIN:VCARD\nVERSION:3.0\nUID:c\nFN:Carol\nEND:VCARD\n")
    status, _, err = run(installation, capsys, "--into", "alice/calendar", str(file))
    assert (status, err.count("\n")) == (1, 1)
    assert "VADDRESSBOOK" in err
    assert run(installation, capsys, "--into", "alice/contacts", str(file))[0] == 0


def test_an_import_before_the_first_login_creates_the_first_collections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path)
    file = tmp_path / "old.ics"
    file.write_bytes(event("a"))
    assert run(installation, capsys, "--into", "alice/old", str(file))[0] == 0
    with installation.client() as client:
        assert set(client.props("/alice/", "D:displayname", depth="1")) == {
            f"/alice/{name}" for name in ("", "old/", "calendar/", "tasks/", "contacts/")
        }


@pytest.mark.parametrize("into", ["alice", "alice/a/b", "GROUPS/x", "everyone/x", "alice/.."])
def test_an_invalid_target_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], into: str
) -> None:
    file = tmp_path / "a.ics"
    file.write_bytes(event("a"))
    status, out, err = run(Installation(tmp_path), capsys, "--into", into, str(file))
    assert (status, out, err.count("\n")) == (1, "", 1)


def test_a_long_import_shows_its_progress(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    one = event("UID").split(b"EN\r\n", 1)[1].removesuffix(b"END:VCALENDAR\r\n")
    many = b"".join(one.replace(b"UID:UID", b"UID:%d" % n) for n in range(5000))
    file = tmp_path / "many.ics"
    file.write_bytes(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + many + b"END:VCALENDAR\r\n")
    terminal, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [str(BIN / "kalends"), "import", "--config", str(installation.config)]
    with subprocess.Popen(
        [*command, "--into", "alice/calendar", str(file)], stdout=subprocess.PIPE, stderr=theirs
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while block := os.read(terminal, 4096):
                shown += block
        except OSError:  # Linux reports the closed other end like this
            os.close(terminal)
        assert running.stdout is not None
        assert running.stdout.read() == b"1 files: 5000 added, 0 changed, 0 unchanged, 0 refused\n"
    assert b"many.ics:" in shown
    assert b"/5000" in shown
