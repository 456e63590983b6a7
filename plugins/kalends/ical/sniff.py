"""Recognition of files that contain neither calendars nor cards, to explain a failed import."""

from __future__ import annotations

import re

_NEITHER = "it contains no calendar (BEGIN:VCALENDAR) and no contacts (BEGIN:VCARD)"
_BY_BEGINNING = (
    (b"PK\x03\x04", "it is a zip archive: unpack it and import the files in it"),
    (b"PK\x05\x06", "it is an empty zip archive"),
    (b"\x1f\x8b", "it is compressed by gzip: unpack it and import the file in it"),
    (b"\xff\xfe", "it is UTF-16 text: export or save it as UTF-8"),
    (b"\xfe\xff", "it is UTF-16 text: export or save it as UTF-8"),
    (b"B\0E\0G\0", "it is UTF-16 text: export or save it as UTF-8"),
    (b"\0B\0E\0G", "it is UTF-16 text: export or save it as UTF-8"),
)
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE)
_ANY_BEGIN = re.compile(rb"^BEGIN:", re.IGNORECASE | re.MULTILINE)


def describe_foreign_file(data: bytes) -> str | None:
    """Explain why a file cannot contain a calendar or a card.

    Args:
        data: its octets, without a byte order mark.

    Returns:
        the reason, for the person who imports it; None if the file may contain one.
    """
    for beginning, why in _BY_BEGINNING:
        if data.startswith(beginning):
            return why
    if _ANY_BEGIN.search(data):
        return None
    if not data.strip():
        return "it is empty"
    if _WEB_PAGE.match(data):
        return "it is a web page, perhaps a login page: download the file itself"
    return _NEITHER
