"""The pure parts of the account page: addresses, tokens, file names, the feeds in a profile."""

from __future__ import annotations

import io
import plistlib
import zipfile
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.common.names import refusal_of_name
from kalends.feeds.definitions.model import Access, Feed, Pattern, Rules
from kalends.webui.account.csrf_token import DAYS, CsrfTokens
from kalends.webui.account.feedlist import feeds_for_profile, visible_feed
from kalends.webui.account.mobileconfig import Subscription, profile
from kalends.webui.account.setup_guides import guides
from kalends.webui.account.zip_download import ZipEntry, file_names, zipped
from kalends.webui.base_url import BaseUrl

NAMES = st.text(min_size=1).filter(lambda name: refusal_of_name(name, ()) is None)
# Names that XML 1.0 can contain.
XML_NAMES = NAMES.filter(lambda name: not any(c in "\ufffe\uffff" for c in name))
NOW = 1_800_000_000.0


def environ(scheme: str = "https", **more: str) -> dict[str, Any]:
    return {
        "wsgi.url_scheme": scheme,
        "SERVER_NAME": "inside",
        "SERVER_PORT": "5232",
        "SCRIPT_NAME": "",
        **more,
    }


@pytest.mark.parametrize(
    ("given_", "origin", "root"),
    [
        ({"HTTP_HOST": "dav.example.org"}, "https://dav.example.org", "/"),
        ({"HTTP_HOST": "DAV.example.org:443"}, "https://dav.example.org", "/"),
        ({"HTTP_HOST": "dav.example.org:8443"}, "https://dav.example.org:8443", "/"),
        ({"HTTP_HOST": "h:443", "scheme": "http"}, "http://h:443", "/"),
        ({"HTTP_HOST": "[::1]:5232", "scheme": "http"}, "http://[::1]:5232", "/"),
        ({"scheme": "http"}, "http://inside:5232", "/"),
        ({"HTTP_HOST": "h", "SCRIPT_NAME": "/dav/"}, "https://h", "/dav/"),
        ({"HTTP_HOST": "h", "SCRIPT_NAME": "/d\xc3\xa4v x"}, "https://h", "/d%C3%A4v%20x/"),
    ],
)
def test_the_base_url_is_the_address_that_the_request_was_sent_to(
    given_: dict[str, str], origin: str, root: str
) -> None:
    base_url = BaseUrl.from_environ(environ(**given_))
    assert base_url is not None
    assert (base_url.origin, base_url.path("/")) == (origin, root)
    assert base_url.url("/") == origin + root


@pytest.mark.parametrize(
    "host", ["a b", "h:x", "h/evil", "h\r\nX: y", "user@h", "", "h:1:2", "<b>", "h:123456"]
)
def test_an_invalid_host_has_no_base_url(host: str) -> None:
    found = BaseUrl.from_environ(environ(HTTP_HOST=host))
    assert (found is None) == bool(host)


@given(XML_NAMES)
def test_the_addresses_of_any_account_name_it(user: str) -> None:
    base_url = BaseUrl("https", "dav.example.org", 443, "/dav")
    url = base_url.url(f"/{user}/")
    assert url.isascii()
    assert unquote(urlsplit(url).path) == f"/dav/{user}/"
    whole = plistlib.loads(profile(base_url, user, []))
    assert unquote(whole["PayloadContent"][0]["CalDAVPrincipalURL"]) == f"/dav/{user}/"
    assert whole["PayloadContent"][0]["CalDAVUsername"] == user


@given(XML_NAMES, XML_NAMES, st.sampled_from(["", "/dav"]))
def test_profiles_of_two_accounts_do_not_replace_each_other(
    one: str, other: str, prefix: str
) -> None:
    def identifiers(user: str, scheme: str, port: int, title: str) -> list[str]:
        base_url = BaseUrl(scheme, "dav.example.org", port, prefix)
        feed = Subscription("family", title, "/feeds/family.ics", needs_login=True)
        whole = plistlib.loads(profile(base_url, user, [feed]))
        return [
            f"{part['PayloadIdentifier']} {part['PayloadUUID']}"
            for part in (whole, *whole["PayloadContent"])
        ]

    first = identifiers(one, "http", 5232, "Family")
    # Neither TLS nor another title changes the identifiers.
    assert first == identifiers(one, "https", 443, "The family")
    if one != other:
        assert not set(first) & set(identifiers(other, "http", 5232, "Family"))


@given(NAMES, st.floats(0, DAYS * 24 * 3600))
def test_a_token_is_valid_for_its_user_and_its_days(user: str, age: float) -> None:
    tokens = CsrfTokens(b"k" * 32)
    token = tokens.make(user, NOW, 5)
    assert tokens.is_valid(token, user, NOW + age)
    assert not tokens.is_valid(token, user, NOW + DAYS * 24 * 3600 + 1)
    assert not tokens.is_valid(token, user, NOW - 3600)
    assert not tokens.is_valid(token, user + "x", NOW)
    assert not CsrfTokens(b"l" * 32).is_valid(token, user, NOW)
    assert token != tokens.make(user, NOW, 6)


@given(st.text())
def test_no_other_text_is_a_valid_token(text: str) -> None:
    assert not CsrfTokens(b"k" * 32).is_valid(text, "alice", NOW)


@given(st.lists(st.tuples(st.text(), st.text(), st.sampled_from([".ics", ".vcf"]))))
def test_every_file_of_an_archive_has_a_safe_and_unique_name(
    wanted: list[tuple[str, str, str]],
) -> None:
    names = list(file_names(wanted))
    assert len({name.casefold() for name in names}) == len(wanted)
    for name, (folder, _, suffix) in zip(names, wanted, strict=True):
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert len(path.parts) == (2 if folder else 1)
        assert name.endswith(suffix)
        assert all(len(part.encode()) < 255 for part in path.parts)
        assert not PureWindowsPath(name).is_reserved()
        assert not PureWindowsPath(name).drive


def test_two_calendars_with_the_same_name_are_two_files() -> None:
    wanted = [("", "Work", ".ics"), ("", "work", ".ics"), ("", "a/b", ".ics"), ("", "..", ".ics")]
    assert list(file_names(wanted)) == ["Work.ics", "work (2).ics", "a-b.ics", "unnamed.ics"]


def test_names_that_are_equal_in_unicode_get_a_number() -> None:
    wanted = [("", "Caf\xe9", ".ics"), ("", "Cafe\u0301", ".ics")]
    assert list(file_names(wanted)) == ["Caf\xe9.ics", "Caf\xe9 (2).ics"]


@pytest.mark.parametrize("letter", ["\u6f22", "\U0001f468", "\xe9", "a"])
def test_a_long_name_is_cut_between_characters(letter: str) -> None:
    name, other = file_names([("f" * 300, letter * 300, ".ics")] * 2)
    number = 200 // len(letter.encode())
    assert name == f"{'f' * 200}/{letter * number}.ics"
    assert other == f"{'f' * 200}/{letter * number} (2).ics"


@given(st.lists(st.binary(max_size=300_000), max_size=4))
def test_the_blocks_of_a_zip_are_a_valid_archive(contents: list[bytes]) -> None:
    changed = datetime(2026, 11, 26, 12, 0, 2, tzinfo=UTC)
    entries = [
        ZipEntry(f"{number}.ics", changed, len(data), io.BytesIO(data))
        for number, data in enumerate(contents)
    ]
    whole = b"".join(zipped(entries))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert [archive.read(f"{number}.ics") for number in range(len(contents))] == contents
        for info in archive.infolist():
            assert info.date_time == (2026, 11, 26, 12, 0, 2)


def feed(*patterns: str, kind: str = "login", busy: bool = False) -> Feed:
    calendars = tuple(
        Pattern(tuple(None if part == "*" else part for part in pattern.split("/")))
        for pattern in patterns
    )
    return Feed("some", None, calendars, Access(kind), Rules("", "hide", busy=busy))


@pytest.mark.parametrize(
    ("patterns", "more"),
    [
        (("alice/*",), False),
        (("alice/work", "GROUPS/Family/*"), False),
        (("alice/*", "bob/*"), True),
        (("*/*",), True),
        (("@family/*",), True),
        (("GROUPS/staff/*",), True),
        (("GROUPS/*/*",), True),
    ],
)
def test_a_feed_is_more_than_the_account_if_it_shows_calendars_of_others(
    patterns: tuple[str, ...], more: bool
) -> None:
    found = visible_feed(feed(*patterns), "alice", None, ["family"])
    assert found.is_more is more
    assert feeds_for_profile([found], {}) == ([found] if more else [])
    assert feeds_for_profile([found], {"feeds": ["chosen"]}) == []
    assert feeds_for_profile([found], {"feeds": ["chosen"], "feed": ["some"]}) == [found]


def test_a_secret_feed_has_no_other_address() -> None:
    found = visible_feed(feed("*/*", kind="secret", busy=True), "alice", "s3cret", ())
    assert (found.path, found.secret, found.needs_login) == (
        None,
        "/feeds/s/s3cret/some.ics",
        False,
    )
    assert found.title == "some"
    assert found.shows == "Times only, as busy."


@pytest.mark.parametrize(
    ("scheme", "schemes", "warned"),
    [
        ("http", ("basic",), True),
        ("http", ("digest", "basic"), False),
        ("https", ("basic",), False),
        ("http", (), False),
    ],
)
def test_guides_warn_where_apples_programs_would_not_log_in(
    scheme: str, schemes: tuple[str, ...], warned: bool
) -> None:
    found = guides(BaseUrl(scheme, "h", 80), "alice", schemes)
    assert [guide.key for guide in found if guide.note] == (["iphone", "mac"] if warned else [])
    assert len({guide.key for guide in found}) == len(found)
