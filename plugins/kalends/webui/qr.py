"""QR codes of addresses, for a phone's camera."""

from __future__ import annotations

from functools import lru_cache

import segno

# Octets that a code of this kind of correction holds at most.
_LONGEST = 2331


def qr_code(text: str) -> str:
    """Return a QR code as SVG markup without a size; empty if the text is too long."""
    return _draw(text) if len(text) <= _LONGEST else ""


@lru_cache(maxsize=128)
def _draw(text: str) -> str:
    try:
        code = segno.make(text, error="m", micro=False)
    except segno.DataOverflowError:
        return ""
    return code.svg_inline(border=3, omitsize=True, svgclass="qr", lineclass=None, dark="#000")
