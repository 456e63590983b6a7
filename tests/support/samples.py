"""Calendar objects and cards as clients write them."""

from __future__ import annotations


def calendar(*components: str, extra: str = "") -> str:
    """Return a VCALENDAR with these components, each with CRLF line ends."""
    head = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Kalends tests//EN\r\n{extra}"
    return head + "".join(components) + "END:VCALENDAR\r\n"


def component(name: str, uid: str, *lines: str) -> str:
    """Return one component with UID, DTSTAMP and further content lines."""
    all_lines = [f"BEGIN:{name}", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, f"END:{name}"]
    return "".join(f"{line}\r\n" for line in all_lines)


def event(uid: str, summary: str = "Meeting", start: str = "20260601T090000Z", *lines: str) -> str:
    """Return a calendar object with one event of an hour."""
    return calendar(
        component("VEVENT", uid, f"DTSTART:{start}", "DURATION:PT1H", f"SUMMARY:{summary}", *lines)
    )


def todo(uid: str, summary: str = "Task", due: str = "20260601T090000Z") -> str:
    """Return a calendar object with one task."""
    return calendar(component("VTODO", uid, f"DUE:{due}", f"SUMMARY:{summary}"))


def card(uid: str, name: str) -> str:
    """Return a vCard 3.0."""
    lines = ("BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{name}", f"N:{name};;;;", "END:VCARD")
    return "".join(f"{line}\r\n" for line in lines)
