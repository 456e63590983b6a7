"""Import of a store that Xandikos wrote: objects, names, colours and order."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalends.cli.main import main
from support.awaiting import await_that, listens
from support.installation import Installation, event
from support.process import ReservedPort, ServerProcess
from support.samples import card

WORK = """<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"
 xmlns:I="http://apple.com/ns/ical/"><D:set><D:prop><D:displayname>Work äöü</D:displayname>
<I:calendar-color>#00ff00ff</I:calendar-color><I:calendar-order>3</I:calendar-order>
<C:calendar-description>All work</C:calendar-description></D:prop></D:set></D:propertyupdate>"""
MKCALENDAR = '<C:mkcalendar xmlns:C="urn:ietf:params:xml:ns:caldav"/>'
XML = "text/xml; charset=utf-8"


class Xandikos:
    """Stock Xandikos with a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self._port = ReservedPort()
        program = str(Path(sys.executable).parent / "xandikos")
        listen = ["-l", "127.0.0.1", "-p", str(self._port.number), "--no-detect-systemd"]
        self._process = ServerProcess(
            [program, "serve", "-d", str(self.store), "--defaults", *listen],
            ready="Listening on",
            folder=folder,
            environment={"PYTHONUNBUFFERED": "1", "XDG_DATA_HOME": str(folder)},
        )
        self._process.start()
        await_that(lambda: listens(self._port.number))

    def ask(self, method: str, path: str, body: bytes | str = b"", type_: str = XML) -> bytes:
        """Send one request; return the body of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port.number, timeout=60)
        data = body.encode() if isinstance(body, str) else body
        connection.request(method, path, body=data, headers={"Content-Type": type_})
        answer = connection.getresponse()
        received = answer.read()
        connection.close()
        assert answer.status in (200, 201, 204, 207), (method, path, answer.status, received)
        return received

    def close(self) -> None:
        """Stop the server and release its port."""
        self._process.stop()
        self._port.release()


@pytest.fixture
def xandikos(tmp_path: Path) -> Iterator[Xandikos]:
    """Run a server with two calendars and an address book."""
    folder = tmp_path / "xandikos"
    folder.mkdir()
    server = Xandikos(folder)
    try:
        fill(server)
        yield server
    finally:
        server.close()


def fill(server: Xandikos) -> None:
    server.ask("MKCALENDAR", "/user/calendars/work", MKCALENDAR)
    server.ask("PROPPATCH", "/user/calendars/work/", WORK)
    for number in range(5):
        path = f"/user/calendars/work/{number}.ics"
        server.ask("PUT", path, event(f"w{number}"), "text/calendar")
    server.ask("PUT", "/user/calendars/calendar/x%20y.ics", event("c"), "text/calendar")
    server.ask("PUT", "/user/contacts/addressbook/c.vcf", card("k", "Karl"), "text/vcard")


def test_a_store_of_xandikos_is_imported_completely(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], xandikos: Xandikos
) -> None:
    theirs = {
        f"/alice/{place}": xandikos.ask("GET", f"/user/{home}/{place}")
        for home, place in [
            *(("calendars", f"work/{number}.ics") for number in range(5)),
            ("calendars", "calendar/x%20y.ics"),
            ("contacts", "addressbook/c.vcf"),
        ]
    }
    installation = Installation(tmp_path)
    command = ["import", "--config", str(installation.config), "--xandikos", str(xandikos.store)]
    for outcome in ("3 collections made", "7 unchanged"):
        with pytest.raises(SystemExit) as left:
            main([*command, "--rename", "user=alice"])
        printed = capsys.readouterr()
        assert (left.value.code, printed.err) == (0, "")
        assert outcome in printed.out
    with installation.client() as client:
        for path, data in theirs.items():
            assert client("GET", path).body == data, path
        names = ("D:displayname", "C:calendar-description")
        assert client.props("/alice/work/", *names)["/alice/work/"] == {
            "{DAV:}displayname": "Work äöü",
            "{urn:ietf:params:xml:ns:caldav}calendar-description": "All work",
        }
        apple = "http://apple.com/ns/ical/"
        body = (
            f'<propfind xmlns="DAV:"><prop><calendar-color xmlns="{apple}"/>'
            f'<calendar-order xmlns="{apple}"/></prop></propfind>'
        )
        answer = client("PROPFIND", "/alice/work/", body, headers={"Depth": "0"}).xml()
        assert answer.findtext(f".//{{{apple}}}calendar-color") == "#00ff00ff"
        assert answer.findtext(f".//{{{apple}}}calendar-order") == "3"
