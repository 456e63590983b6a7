"""A store moves to PostgreSQL and back by `kalends export` and `import`, without any loss."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from kalends.cli.main import main
from support.installation import Client, Installation, event
from support.postgres import PostgresServer

GROUPS = "family: alice bob\n"
COLOUR = (
    '<propertyupdate xmlns="DAV:" xmlns:A="http://apple.com/ns/ical/" xmlns:X="urn:example:other">'
    "<set><prop><displayname>Ärger &amp; Freude \U0001f973</displayname>"
    "<A:calendar-color>#FF2968FF</A:calendar-color><A:calendar-order>7</A:calendar-order>"
    "<X:anything>at all</X:anything></prop></set></propertyupdate>"
)
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card\r\nFN:Zoë\r\nN:;Zoë;;;\r\nEND:VCARD\r\n"
HREFS = ("plain.ics", "a b;c=d,e?#.ics", "ümlaut.ics", "no-suffix", "'&<>\".ics", "x" * 200)


def fill(client: Client) -> None:
    """Store data that is easily lost: names, octets, properties, groups, several kinds."""
    for number, href in enumerate(HREFS):
        folded = event(f"uid {number} ä", summary="long " * 40).replace(
            b"long long", b"long\r\n  long"
        )
        path = f"/alice/calendar/{quote(href)}"
        assert client("PUT", path, folded).status == 201, href
    assert client("PROPPATCH", "/alice/calendar/", COLOUR).status == 207
    assert client("MKCALENDAR", f"/alice/{quote('Zweiter ä')}/").status == 201
    assert client("PUT", "/alice/contacts/card.vcf", CARD).status == 201
    assert client("PUT", "/GROUPS/family/calendar/1.ics", event("family")).status == 201
    client("PROPFIND", "/bob/", user="bob")


def visible_state(client: Client) -> dict[str, object]:
    """Return everything that clients see, except for tokens, which differ between stores."""
    found: dict[str, object] = {}
    names = ("D:displayname", "D:resourcetype", "C:supported-calendar-component-set")
    for home in ("/alice/", "/GROUPS/family/"):
        for path, props in client.props(home, *names, depth="1").items():
            found[path] = props
            if path.count("/") < 3:
                continue
            for href in client.props(path, "D:getetag", depth="1"):
                if not href.endswith("/"):
                    found[href] = client("GET", href).body
    return found


def run(installation: Installation, *words: str) -> None:
    with pytest.raises(SystemExit) as left:
        main([*words, "--config", str(installation.config)])
    assert left.value.code == 0


def files(folder: Path) -> dict[str, bytes]:
    """Return the contents of a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_store_moves_to_postgresql_and_back(tmp_path: Path, postgres: PostgresServer) -> None:
    (tmp_path / "groups").write_text(GROUPS)
    options = {"auth__htgroup_filename": str(tmp_path / "groups")}
    installation = Installation(tmp_path, options=options)
    with installation.client() as client:
        fill(client)
        expected = visible_state(client)
    assert len(expected) > len(HREFS) + 5
    run(installation, "export", "--radicale", str(tmp_path / "exported0"))
    first = files(tmp_path / "exported0")
    stores = [postgres.store(), f"sqlite:///{tmp_path}/again.db"]
    for number, url in enumerate(stores):
        installation.write(storage__database=url)
        run(installation, "import", "--radicale", str(tmp_path / f"exported{number}"))
        with installation.client() as client:
            assert visible_state(client) == expected
        run(installation, "export", "--radicale", str(tmp_path / f"exported{number + 1}"))
        assert files(tmp_path / f"exported{number + 1}") == first
