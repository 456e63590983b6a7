"""Requirements of RFC 6352 (CardDAV) that no other test asks for: see docs/compliance.md."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.installation import NAMES, Client, Installation

BOOK = "/alice/contacts/"
SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
CR = f"{{{NAMES['CR']}}}"


def card(uid: str, *lines: str, version: str = "3.0") -> str:
    head = ("BEGIN:VCARD", f"VERSION:{version}", f"UID:{uid}", f"FN:{uid}", "N:N;;;;")
    return "".join(f"{line}\r\n" for line in (*head, *lines, "END:VCARD"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application where alice has a card whose addresses are in groups and not."""
    with Installation(tmp_path_factory.mktemp("carddav"), feeds="").client() as client:
        lines = ("item1.EMAIL:a@example.org", "EMAIL:b@example.org", "X-ABC;X-P=1:val")
        assert client("PUT", f"{BOOK}a.vcf", card("a", *lines)).status == 201
        yield client


def test_an_object_is_one_card_with_a_uid_that_no_other_has(client: Client) -> None:
    """Sections 5.1 and 6.3.2.1."""
    for body in (card("b") + card("c"), card("b").replace("UID:b\r\n", "")):
        answer = client("PUT", f"{BOOK}b.vcf", body)
        assert (answer.status, answer.precondition()) == (403, f"{CR}valid-address-data")
    for path, uid in ((f"{BOOK}b.vcf", "a"), (f"{BOOK}a.vcf", "b")):
        answer = client("PUT", path, card(uid))
        assert (answer.status, answer.precondition()) == (409, f"{CR}no-uid-conflict")
        assert answer.xml()[0].findtext("D:href", "", NAMES) == f"{BOOK}a.vcf"


def test_an_address_book_says_so_in_its_type(client: Client) -> None:
    """Section 5.2."""
    body = f"<D:propfind {SPACES}><D:prop><D:resourcetype/></D:prop></D:propfind>"
    answer = client("PROPFIND", BOOK, body)
    kinds = {node.tag for node in answer.xml().iterfind(".//D:resourcetype/*", NAMES)}
    assert kinds == {"{DAV:}collection", f"{CR}addressbook"}


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_cards_of_both_versions_are_kept_with_properties_of_others(
    client: Client, version: str
) -> None:
    """Sections 3, 6.2.2, 6.3.2.2 and 6.3.2.3."""
    path = f"{BOOK}v{version}.vcf"
    body = card(f"v{version}", "X-ODD;X-P=1:val", version=version)
    put = client("PUT", path, body)
    assert put.status == 201
    got = client("GET", path)
    assert (got.body.decode(), got.headers["ETag"]) == (body, put.headers["ETag"])
    assert got.headers["ETag"].startswith('"')
    wanted = f"<D:propfind {SPACES}><D:prop><CR:supported-address-data/></D:prop></D:propfind>"
    told = client("PROPFIND", BOOK, wanted).xml().iter(f"{CR}address-data-type")
    assert {"content-type": "text/vcard", "version": version} in [kind.attrib for kind in told]


def test_reports_are_announced_on_address_books_and_their_cards(client: Client) -> None:
    """Sections 3, 8 and 8.1."""
    body = f"<D:propfind {SPACES}><D:prop><D:supported-report-set/></D:prop></D:propfind>"
    for path in (BOOK, f"{BOOK}a.vcf"):
        answer = client("PROPFIND", path, body)
        told = {node.tag for node in answer.xml().iterfind(".//D:report/*", NAMES)}
        reports = {f"{CR}addressbook-query", f"{CR}addressbook-multiget"}
        assert {*reports, "{DAV:}expand-property"} <= told


@pytest.mark.parametrize(
    ("name", "text", "is_found"),
    [
        ("EMAIL", "a@", True),
        ("EMAIL", "b@", True),
        ("item1.EMAIL", "a@", True),
        ("item1.EMAIL", "b@", False),
        ("item2.EMAIL", "a@", False),
    ],
)
def test_a_filter_with_a_group_is_about_that_group_alone(
    client: Client, name: str, text: str, is_found: bool
) -> None:
    """Section 10.5.1."""
    test = f'<CR:prop-filter name="{name}"><CR:text-match>{text}</CR:text-match></CR:prop-filter>'
    body = (
        f"<CR:addressbook-query {SPACES}><D:prop><D:getetag/></D:prop>"
        f"<CR:filter>{test}</CR:filter></CR:addressbook-query>"
    )
    assert (f"{BOOK}a.vcf" in client("REPORT", BOOK, body).hrefs()) is is_found


def test_a_multiget_tells_what_is_missing_and_returns_the_data_asked_for(client: Client) -> None:
    """Sections 8.5, 8.7 and 10.4.2."""
    wanted = '<CR:address-data><CR:prop name="EMAIL"/><CR:prop name="X-ABC"/></CR:address-data>'
    hrefs = "".join(f"<D:href>{BOOK}{name}.vcf</D:href>" for name in ("a", "none"))
    body = (
        f"<CR:addressbook-multiget {SPACES}><D:prop>{wanted}</D:prop>{hrefs}"
        "</CR:addressbook-multiget>"
    )
    answer = client("REPORT", BOOK, body, headers={"Depth": "0"})
    first, other = answer.xml().findall("D:response", NAMES)
    text = first.findtext(".//CR:address-data", "", NAMES)
    assert text.split() == [
        *("BEGIN:VCARD", "item1.EMAIL:a@example.org", "EMAIL:b@example.org", "X-ABC;X-P=1:val"),
        "END:VCARD",
    ]
    assert other.findtext("D:status", "", NAMES) == "HTTP/1.1 404 Not Found"
