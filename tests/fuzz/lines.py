"""Mutations of calendars and cards line by line, which more often make another valid one."""

from __future__ import annotations

import random
import re

FREQUENCIES = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
TIMES = (
    *("00010101T000000", "16010101T000000", "19700101T000000", "20260329T023000"),
    *("20260601T100000", "20261025T023000", "21991231T235959", "99991231T235959"),
)
RULE_PARTS = (
    *("COUNT=1", "COUNT=9999", "INTERVAL=2", "INTERVAL=999", "UNTIL=20270101T000000Z", "WKST=SU"),
    *("BYMONTH=2", "BYMONTHDAY=30", "BYMONTHDAY=-1", "BYYEARDAY=366", "BYWEEKNO=53", "BYDAY=-1SU"),
    *("BYDAY=MO,TU,WE,TH,FR,SA,SU", "BYDAY=5TH", "BYHOUR=0,1,2,3", "BYMINUTE=0,59", "BYSECOND=60"),
    *("BYSETPOS=-1", "BYSETPOS=366", "UNTIL=20260601", "COUNT=0", "BYMONTH=13", "INTERVAL=0"),
)
DURATIONS = ("PT1S", "PT1H", "P1D", "P9999D", "-PT15M", "PT0S", "P1W", "P999999999D", "-P400D")
ZONES = ("", "", ";TZID=Z", ";TZID=Europe/Berlin", ";VALUE=DATE", ";TZID=Nowhere", ";X-A=b")
ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "END:VALARM")
OBSERVANCE = (
    *("BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0100"),
    *("TZOFFSETTO:+0200", "END:STANDARD"),
)
OVERRIDE = (
    *("BEGIN:VEVENT", "UID:a", "RECURRENCE-ID:20260602T100000Z"),
    *("DTSTART:20260602T110000Z", "END:VEVENT"),
)
OTHERS = (
    *("CLASS:PRIVATE", "CLASS:CONFIDENTIAL", "STATUS:CANCELLED", "TRANSP:TRANSPARENT", "SUMMARY:e"),
    *('ATTENDEE;CN="e;,:";PARTSTAT=NEEDS-ACTION:mailto:e@x', "RELATED-TO:a", "SEQUENCE:9"),
    *("DESCRIPTION:e\\n\\,\\;\\\\ http://x/", "GEO:1;2", "CATEGORIES:a,b", "PERCENT-COMPLETE:5"),
    *("COMPLETED:20260601T000000Z", "X-WR-TIMEZONE:Europe/Berlin", "ATTACH:data:x", "PRIORITY:1"),
    *('item1.TEL;TYPE="a,b":1', "TEL;HOME;e:1", "PHOTO;ENCODING=b:QUJD", "N:e;;;;", "FN:e"),
    *("FREEBUSY:20260601T000000Z/PT1H", "REQUEST-STATUS:2.0;e", "REPEAT:9", "@REPEAT@"),
)
NUMBER = re.compile(rb"[0-9]+")


def with_changed_lines(data: bytes, chance: random.Random) -> bytes:
    """Return a calendar or card with a few lines added, removed, moved or changed."""
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                del lines[place]
            case 1:
                lines.insert(chance.randrange(len(lines) + 1), lines[place])
            case 2:
                lines[place] = NUMBER.sub(lambda found: _number(found[0], chance), lines[place])
            case 3:
                end = min(len(lines), place + chance.randint(1, 12))
                part = lines[place:end]
                lines[place:end] = (
                    [b"@REPEAT@", *part, b"@REPEAT@"] if chance.random() < 0.3 else (part + part)
                )
            case _:
                lines[place:place] = [line.encode() + b"\r" for line in _some_lines(chance)]
        lines = lines or [b""]
    return b"\n".join(lines)


def _number(digits: bytes, chance: random.Random) -> bytes:
    """Return another number with as many digits, mostly."""
    if chance.random() < 0.5:
        return digits
    if chance.random() < 0.1:
        return chance.choice((b"0", b"1", b"-1", b"99999", b"@N@", b"@DAY@"))
    number = int(digits) + chance.choice((-1, 1, 10, -30, 7, 365)) if len(digits) < 20 else 0
    return str(abs(number)).encode().rjust(len(digits), b"0")[: max(len(digits), 1)]


def _some_lines(chance: random.Random) -> tuple[str, ...]:
    """Return a line, or a component."""
    zone, time = chance.choice(ZONES), chance.choice(TIMES)
    if zone == ";VALUE=DATE":
        time = time[:8]
    elif not zone and chance.random() < 0.7:
        time += "Z"
    parts = chance.sample(RULE_PARTS, chance.randrange(4))
    rule = ";".join([f"FREQ={chance.choice(FREQUENCIES)}", *parts])
    length = chance.choice(DURATIONS)
    return chance.choice(
        (
            (f"RRULE:{rule}",),
            (f"RRULE:{rule}",),
            (f"{chance.choice(('EXDATE', 'RDATE', 'DTEND', 'DUE', 'DTSTART'))}{zone}:{time}",),
            (f"RDATE;VALUE=PERIOD:{time}/{length}",),
            (f"RECURRENCE-ID{chance.choice(('', ';RANGE=THISANDFUTURE'))}{zone}:{time}",),
            (f"{chance.choice(('DURATION', 'TRIGGER', 'TRIGGER;RELATED=END'))}:{length}",),
            ALARM,
            OBSERVANCE,
            OVERRIDE,
            (chance.choice(OTHERS),),
        )
    )
