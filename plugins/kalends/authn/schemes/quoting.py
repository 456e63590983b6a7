"""Parts of header values (RFC 9110 section 5.6). Pure."""

from __future__ import annotations


def quoted_string(text: bytes) -> str:
    """Return a quoted-string (RFC 9110 section 5.6.4) as WSGI has it: bytes as ISO-8859-1."""
    return '"' + text.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"') + '"'
