"""The media types of what calendars and address books keep."""

from __future__ import annotations

from kalends.errors import ObjectRefusedError

_KNOWN = {
    "VCALENDAR": ("C:supported-calendar-data", ("text/calendar",)),
    "VADDRESSBOOK": (
        "CR:supported-address-data",
        ("text/vcard", "text/x-vcard", "text/directory"),
    ),
}
_UNKNOWN = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""By these a client says no more than by none at all (RFC 9110 section 8.3); curl writes the last
one unless it is told something else.
"""


def refuse_other_types(content_type: str | None, tag: str) -> None:
    """Refuse a media type that a collection does not keep (RFC 4791 5.3.2.1, RFC 6352 6.3.2.1).

    Args:
        content_type: the Content-Type of the request, None without one.
        tag: the kind of the collection.

    Raises:
        ObjectRefusedError: the collection holds something else.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if tag not in _KNOWN or kind in _UNKNOWN:
        return
    precondition, known = _KNOWN[tag]
    if kind not in known:
        raise ObjectRefusedError(precondition, f"it holds {known[0]}, not {kind[:80]}")
