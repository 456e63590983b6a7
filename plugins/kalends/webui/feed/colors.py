"""Readable colours for any colour of a calendar (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence
from dataclasses import dataclass

_WHITE, _PAPER, _DARK_PAPER = (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0x16 / 255,) * 3
_TEXT, _SHAPE = 4.8, 3.1
"""Least contrasts, with a margin for rounding."""

PALETTE = (
    "#3b6fb6", "#c2543d", "#4b8b57", "#8a5fb0", "#b98316", "#2f8d94", "#b8497f", "#6c7a2e",
    "#5963c4", "#9a6a47", "#4a7d9d", "#a0435a",
)  # fmt: skip
"""For calendars without a colour."""

NEUTRAL = "#85827a"
"""For events that show as busy: a calendar's colour would reveal whose they are."""

Color = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Shades:
    """The shades of one calendar's colour, as ``#rrggbb``.

    Attributes:
        back: behind the text.
        ink: the text upon it.
        mark: a dot or an edge on the page itself.
    """

    back: str
    ink: str
    mark: str


def color_of(given: str, place: int) -> str:
    """Return a calendar's colour as ``#rrggbb``; one of the palette if it has no valid one.

    Args:
        given: ``#RRGGBB`` or ``#RRGGBBAA``, as clients store it.
        place: the calendar's position among those of the feed.
    """
    if re.fullmatch(r"#[0-9A-Fa-f]{6}(?:[0-9A-Fa-f]{2})?", given):
        return given[:7].lower()
    return PALETTE[place % len(PALETTE)]


def light(color: str) -> Shades:
    """Return the shades for a white page."""
    own = _read(color)
    back = _mixed(own, _WHITE, 0.85)
    return Shades(
        _text(back),
        _text(_until(own, back, _TEXT, darker=True)),
        _text(_until(own, _PAPER, _SHAPE, darker=True)),
    )


def dark(color: str) -> Shades:
    """Return the shades for a dark page."""
    own = _read(color)
    back = _mixed(own, _DARK_PAPER, 0.68)
    return Shades(
        _text(back),
        _text(_until(own, back, _TEXT, darker=False)),
        _text(_until(own, _DARK_PAPER, _SHAPE, darker=False)),
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    return _contrast(_read(one), _read(other))


def style(colors: Sequence[str]) -> str:
    """Return CSS that gives class ``kN`` the shades of colour N, for light and dark screens."""
    by_day = "".join(f".k{n}{{{_variables(light(color))}}}" for n, color in enumerate(colors))
    by_night = "".join(f".k{n}{{{_variables(dark(color))}}}" for n, color in enumerate(colors))
    return f"{by_day}@media screen and (prefers-color-scheme:dark){{{by_night}}}"


def _variables(shades: Shades) -> str:
    return f"--back:{shades.back};--ink-on:{shades.ink};--mark:{shades.mark}"


def _read(color: str) -> Color:
    return (int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255)


def _text(color: Color) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in color)


def _mixed(one: Color, other: Color, share: float) -> Color:
    """Return ``one`` mixed with a share (0 to 1) of ``other``."""
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def _until(color: Color, ground: Color, wanted: float, *, darker: bool) -> Color:
    """Return a colour made darker or lighter until it has the wanted contrast to the ground."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*color)
    found = color
    for _ in range(101):
        if _contrast(found, ground) >= wanted:
            break
        lightness = max(0.0, lightness - 0.01) if darker else min(1.0, lightness + 0.01)
        found = colorsys.hls_to_rgb(hue, lightness, saturation)
    return found


def _contrast(one: Color, other: Color) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Color) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
