"""The characters that XML 1.0 can write, and texts without the others (section 2.2)."""

from __future__ import annotations

import re

NONCHARACTERS = ("\ufffe".encode(), "\uffff".encode())
"""The two of them beyond control characters and surrogates, in UTF-8."""

_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CONTROLS = bytes({*range(0x20)} - {*b"\t\n\r"})
# ElementTree writes a surrogate as a reference, 55296 to 57343, and nothing else like that.
_REFERENCE = re.compile(rb"&#5[567]\d{3};")


def writable(text: str) -> str:
    """Return a text without the characters that XML cannot write."""
    return _UNWRITABLE.sub("", text) if _UNWRITABLE.search(text) else text


def writable_octets(data: bytes) -> bytes:
    """Return UTF-8 without the characters that XML cannot write."""
    data = data.translate(None, _CONTROLS)
    if not data.isascii():
        for character in NONCHARACTERS:
            data = data.replace(character, b"")
    return data


def writable_document(xml: bytes) -> bytes:
    """Return a document of ElementTree's without the characters that XML cannot write."""
    data = writable_octets(xml)
    return _REFERENCE.sub(b"", data) if b"&#5" in data else data
