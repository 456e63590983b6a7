"""Masks for the secrets of feed addresses."""

from __future__ import annotations

import logging
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.app.logging_setup import JsonFormatter, TextFormatter
from kalends.common.masking import SECRET_LENGTH, mask_addresses, mask_path

SECRET = "Ab3_-xYzAb3_-xYzAb3_-xYzAb3_-xYz"
ENCODED = "".join(f"%{ord(character):02x}" for character in SECRET)
SPELLINGS = [
    "/feeds/s/{}/x.ics",
    "/feeds/./s/{}/x.ics",
    "/feeds//s//{}/x.ics",
    "//feeds/s/{}/x.ics",
    "/feeds/s/./{}/x.ics",
    "/feeds/s/../s/{}/x.ics",
    "/FEEDS/S/{}/X.ICS",
    "/feeds;v=1/s;w/{};jsessionid=1/x.ics",
    "/dav/feeds/s/{}/x.ics",
    "/public/s/{}/x.ics",
    "/{}",
    "/{}/",
    "http://h/feeds/s/{}/x.ics",
    "\\feeds\\s\\{}\\x.ics",
    "/feeds%2Fs%2F{}%2Fx.ics",
    "/feeds/s/{}.ics",
    "/feeds/s/x{}y/x.ics",
    "/feeds/?s={}",
]
FORMS = {
    "as-it-is": SECRET,
    "encoded": ENCODED,
    "partly-encoded": "%41" + SECRET[1:],
    "encoded-twice": quote(ENCODED),
    "encoded-thrice": quote(quote(ENCODED)),
    "upper-case": SECRET.upper(),
    "lower-case": SECRET.lower(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("mask", [mask_path, mask_addresses])
def test_a_secret_is_masked_in_every_spelling(
    mask: Callable[[str], str], spelling: str, form: str
) -> None:
    masked = mask(spelling.format(form))
    assert "***" in masked
    assert form[-10:] not in masked
    assert form[:10] not in masked


def test_a_guess_at_the_address_of_a_feed_is_masked() -> None:
    assert mask_path("/feeds/s/guess/x.ics") == "/feeds/s/***/x.ics"
    assert mask_path("/dav/feeds/.//s//guess?x") == "/dav/feeds/.//s//***?x"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/alice/calendar/550e8400-e29b-41d4-a716-446655440000.ics",
        "/alice/9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08/a.ics",
        "/feeds/family.ics",
        "/feeds/staff/",
        "/GROUPS/family/lunch-with-everybody.ics",
    ],
)
def test_names_stay_readable(path: str) -> None:
    assert mask_path(path) == mask_addresses(path) == path


def test_a_log_line_keeps_what_is_not_in_an_address() -> None:
    uid = "60q30c1g60o30e1i60o4ac1g60rj8gpl88rj2c1h84s34h9g60s30c1g60o30c1g"
    line = f"left out: /alice/calendar/ UID '{uid}'; see http://h/feeds/s/{SECRET}/x.ics"
    assert mask_addresses(line) == line.replace(SECRET, "***")


@given(st.binary(min_size=24, max_size=24), st.sets(st.integers(0, SECRET_LENGTH - 1)))
def test_any_secret_is_masked(random: bytes, encoded: set[int]) -> None:
    secret = urlsafe_b64encode(random).decode()
    spelt = "".join(f"%{ord(c):02X}" if n in encoded else c for n, c in enumerate(secret))
    masked = mask_path(f"/feeds/x/../s/{spelt}/y.ics")
    assert "***" in masked or set(secret) <= set("0123456789abcdefABCDEF-")


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_traceback_is_masked(formatter: logging.Formatter) -> None:
    try:
        raise ValueError(f"/feeds/./s/{SECRET}/x.ics")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x", 1, "a bug", None, sys.exc_info())
    line = formatter.format(record)
    assert SECRET not in line
    assert "/feeds/./s/***/x.ics" in line
