"""Characters that XML cannot write: refused where they come in, and never in an answer."""

from __future__ import annotations

import json
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalends.common.xml_text import writable, writable_document, writable_octets
from kalends.wsgi import create_app
from support.installation import NAMES, Client, Installation, event
from support.samples import card

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
BAD = ["\0", "\1", "\x08", "\x0b", "\x0c", "\x1b", "\ufffe", "\uffff"]
PROPS = (
    "<D:prop><D:getetag/><D:displayname/><C:calendar-description/><C:calendar-data/>"
    "<CR:address-data/><C:supported-calendar-component-set/></D:prop>"
)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        yield client


def report(root: str, *content: str) -> str:
    return f"<{root} {SPACES}>{''.join(content)}</{root}>"


@pytest.mark.parametrize("bad", BAD, ids=ascii)
def test_an_object_with_such_a_character_is_refused(client: Client, bad: str) -> None:
    body = event("a", summary=f"Lunch{bad}")
    answer = client("PUT", "/alice/calendar/a.ics", body)
    assert answer.status == 403
    assert answer.precondition() == "{urn:ietf:params:xml:ns:caldav}valid-calendar-data"
    answer = client("PUT", "/alice/contacts/a.vcf", card("a", f"A{bad}"))
    assert answer.status == 403
    assert answer.precondition() == "{urn:ietf:params:xml:ns:carddav}valid-address-data"
    assert client("PUT", "/alice/whole/", body).status in (403, 409)


@pytest.mark.parametrize(
    "bad", ["&#xFFFF;", "&#xFFFE;", "&#0;", "&#1;", "&#xD800;", "\1", "\uffff"]
)
def test_a_property_with_such_a_character_is_refused(client: Client, bad: str) -> None:
    for method, root in (("PROPPATCH", "D:propertyupdate"), ("MKCALENDAR", "C:mkcalendar")):
        name = f"<D:set><D:prop><D:displayname>a{bad}</D:displayname></D:prop></D:set>"
        path = "/alice/calendar/" if method == "PROPPATCH" else "/alice/new/"
        assert client(method, path, report(root, name)).status == 400
    assert client.props("/alice/calendar/", "D:displayname") == {
        "/alice/calendar/": {"{DAV:}displayname": "Calendar"}
    }


@pytest.mark.parametrize("bad", ["%EF%BF%BF", "%EF%BF%BE", "%01", "%1B"])
def test_no_collection_has_such_a_name(client: Client, bad: str) -> None:
    assert client("MKCALENDAR", f"/alice/x{bad}/").status == 400
    client("PUT", f"/alice/calendar/x{bad}.ics", event("a"))
    for depth in ("0", "1"):
        ET.fromstring(client("PROPFIND", "/alice/calendar/", headers={"Depth": depth}).body)


def _spoil(database: Path) -> None:
    """Write characters into each text of a store that a client sees."""
    bad = "".join(BAD)
    with sqlite3.connect(database) as connection:
        for number, data in connection.execute("SELECT id, data FROM object").fetchall():
            text = data.decode().replace("SUMMARY:", f"SUMMARY:{bad}").replace("FN:", f"FN:{bad}")
            connection.execute("UPDATE object SET data = ? WHERE id = ?", (text.encode(), number))
        for number, props in connection.execute("SELECT id, props FROM collection").fetchall():
            changed = {
                **json.loads(props),
                "D:displayname": f"Name{bad}\ud800",
                "C:calendar-description": f"{bad}\udfff & <text>",
                "C:supported-calendar-component-set": f"VEVENT,X{bad}",
                "{urn:x}own": bad,
            }
            connection.execute(
                "UPDATE collection SET props = ? WHERE id = ?", (json.dumps(changed), number)
            )
    connection.close()


READS = [
    ("PROPFIND", report("D:propfind", PROPS)),
    ("PROPFIND", report("D:propfind", "<D:allprop/>")),
    ("PROPFIND", ""),
    ("REPORT", report("D:sync-collection", "<D:sync-token/>", PROPS)),
    (
        "REPORT",
        report("C:calendar-multiget", PROPS, "<D:href>/alice/calendar/a.ics</D:href>"),
    ),
    ("REPORT", report("CR:addressbook-multiget", PROPS, "<D:href>/alice/contacts/a.vcf</D:href>")),
    (
        "REPORT",
        report(
            "C:calendar-query",
            PROPS,
            '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">',
            '<C:prop-filter name="SUMMARY"/></C:comp-filter></C:comp-filter></C:filter>',
        ),
    ),
    (
        "REPORT",
        report("CR:addressbook-query", PROPS, '<CR:filter><CR:prop-filter name="FN"/></CR:filter>'),
    ),
]


def test_an_older_store_with_such_texts_still_syncs(installation: Installation) -> None:
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
        assert client("PUT", "/alice/contacts/a.vcf", card("a", "Alice")).status == 201
    _spoil(installation.folder / "kalends.db")
    seen, answered = "", set()
    app = create_app(installation.config)
    try:
        client = Client(app)
        for method, body in READS:
            for path in ("/alice/", "/alice/calendar/", "/alice/contacts/"):
                for depth in ("0", "1"):
                    answer = client(method, path, body, headers={"Depth": depth})
                    assert answer.status < 500, answer
                    if answer.status == 207:
                        ET.fromstring(answer.body)
                        answered.add((method, body))
                        seen += answer.body.decode()
    finally:
        app.close()
    assert answered == set(READS)
    assert "SUMMARY:Meeting" in seen
    assert "&amp; &lt;text&gt;" in seen


def test_the_writable_part_of_a_text_stays() -> None:
    text = "A\tB\r\nC é 漢 \U0001f600 \x7f \x85 \ufffd ￦"
    mixed = "".join(f"{bad}{part}" for bad, part in zip([*BAD, "\ud800"] * 9, text, strict=False))
    assert writable(text) == text
    assert writable(mixed) == text[: len(mixed) // 2]
    assert writable_octets(text.encode()).decode() == text
    whole = "".join(f"{bad}{text}" for bad in BAD).encode()
    assert writable_octets(whole).decode() == text * len(BAD)


def test_a_document_of_elementtree_is_cleaned() -> None:
    root = ET.Element("a", {"b": "\ud800\uffff\1x"})
    root.text = "\udfff\ufffe\2&#55296; y"
    text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    with pytest.raises(ET.ParseError):
        ET.fromstring(text)
    read = ET.fromstring(writable_document(text))
    assert (read.get("b"), read.text) == ("x", "&#55296; y")
