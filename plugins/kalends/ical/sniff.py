"""What a file is that holds neither calendars nor cards, for whoever meant to bring it in."""

from __future__ import annotations

import re

_NEITHER = "it holds no calendar (BEGIN:VCALENDAR) and no contacts (BEGIN:VCARD)"
_BY_BEGINNING = (
    (b"PK\x03\x04", "it is a zip archive: unpack it, and bring in the files that are in it"),
    (b"PK\x05\x06", "it is an empty zip archive"),
    (b"\x1f\x8b", "it is compressed by gzip: unpack it, and bring in what is in it"),
    (b"\xff\xfe", "it is UTF-16 text: export or save it as UTF-8"),
    (b"\xfe\xff", "it is UTF-16 text: export or save it as UTF-8"),
    (b"B\0E\0G\0", "it is UTF-16 text: export or save it as UTF-8"),
    (b"\0B\0E\0G", "it is UTF-16 text: export or save it as UTF-8"),
)
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE)
_ANY_BEGIN = re.compile(rb"^BEGIN:", re.IGNORECASE | re.MULTILINE)


def describe_foreign_file(data: bytes) -> str | None:
    """Why a file can hold no calendar and no card; None if it may.

    Args:
        data: its octets, without a byte order mark.
    """
    for beginning, why in _BY_BEGINNING:
        if data.startswith(beginning):
            return why
    if _ANY_BEGIN.search(data):
        return None
    if not data.strip():
        return "it is empty"
    if _WEB_PAGE.match(data):
        return "it is a web page, perhaps one that asks for a login: fetch the file itself"
    return _NEITHER
