"""Addresses for a phone's camera."""

from __future__ import annotations

from functools import lru_cache

import segno


@lru_cache(maxsize=128)
def qr_code(text: str) -> str:
    """A QR code as SVG markup, without a size of its own."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_inline(border=3, omitsize=True, svgclass="qr", lineclass=None, dark="#000")
