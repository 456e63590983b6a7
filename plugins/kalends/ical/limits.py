"""Limits of calendar objects and cards, each with its reason.

Each is far above what programs write and people have, and is checked before the work that it
limits. What costs much in combination is limited by the steps of ``common.budget``.
"""

from __future__ import annotations

from dataclasses import dataclass

from kalends.common.budget import USUAL_STEPS, Steps

MAX_SIZE = 10_000_000
"""The default maximum size of an object, octets."""

MAX_LINES = 200_000
"""The most content lines of an object, 300 octets of memory each.

A series with 2,000 overrides has some 60,000.
"""

MAX_PHYSICAL_LINES = 600_000
"""The most lines of an object before unfolding, 60 octets of memory each while it is parsed.

An attachment of eight megabytes has 110,000.
"""

MAX_COMPONENTS = 20_000
"""The most components of an object, alarms and time zones included.

A series with 2,000 overrides that have two alarms each has 6,000.
"""

MAX_DEPTH = 16
"""The deepest nesting of components; real calendars need three levels."""

MAX_PARAM_VALUES = 20_000
"""The most parameters, or values of parameters, of one line, 60 octets of memory each.

A list of members or delegates has some dozens, or some hundreds.
"""

MAX_UID = 10_000
"""The longest UID, characters. It is a key of the database and in the answers to many requests.

RFC 7986 section 5.3 advises 255.
"""

MAX_OVERRIDES = 5_000
"""The most overrides of a series: almost fourteen years of a daily event, each day changed."""

MAX_RANGE_OVERRIDES = 500
"""The most overrides with RANGE=THISANDFUTURE; hardly any program writes even one."""

MAX_DATES = 50_000
"""The most values of RDATE, EXDATE and FREEBUSY in an object, six microseconds each."""

MAX_RULES = 10
"""The most RRULEs of a component.

It should have one (RFC 5545 section 3.8.5.3), and each takes time to expand.
"""

MAX_RULE_LENGTH = 5_000
"""The longest RRULE, characters: all days of a year, from its beginning and its end, are 4,000."""

MAX_TIMES = 1_440
"""The most times of a day that a rule names: BYHOUR, BYMINUTE and BYSECOND multiply."""

MAX_ALARMS = 1_000
"""The most alarms of a component; programs show a few."""

MAX_ATTENDEES = 20_000
"""The most attendees of a component: each is a line that everybody in it gets to read."""

MAX_VTIMEZONES = 100
"""The most VTIMEZONEs of an object; a program writes those of its times, mostly one."""

MAX_VTIMEZONE = 100_000
"""The longest VTIMEZONE that is read, characters; those that list each change have 50,000."""

MAX_TZIDS = 100
"""The most different TZIDs that the times of an object name; one that is unknown costs a look at
the disk.
"""

MAX_ONSETS = 2_000
"""The most observances of a VTIMEZONE, and the most values of its RDATEs.

Programs that write each change of a zone since 1900 by itself come to 300.
"""

MAX_NAME = 255
"""The longest TZID that is looked up as a name; IANA's have 32 characters at most."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The limits of a file of many objects.

    Attributes:
        octets: of the file.
        lines: its lines, 80 octets of memory each at least.
        components: its events, tasks, alarms, cards and so on.
        objects: the octets of all its objects, each of which has a copy of its time zones.
    """

    octets: int
    lines: int
    components: int
    objects: int


FILE_OF_A_REQUEST = FileLimits(32 << 20, 500_000, 25_000, 48 << 20)
"""A file that a client sends: 10,000 events with an alarm each, for which a worker needs 100 MB."""

FILE_OF_AN_ADMINISTRATOR = FileLimits(2_000_000_000, 20_000_000, 4_000_000, 500_000_000)
"""A file of `kalends import`: 100,000 events with a VTIMEZONE each have 90 MB.

Their objects have 500 MB if the VTIMEZONE has four kilobytes.
"""


@dataclass(frozen=True, slots=True)
class ObjectLimits:
    """The limits of an object that is to be stored, as far as the configuration sets them.

    They are checked at the write alone. Readers have the steps: what was stored under other limits
    is left out or refused where it takes more.

    Attributes:
        octets: the size of the object.
        overrides: the overrides of a series.
        dates: the values of RDATE and EXDATE.
        alarms: the alarms of a component.
        attendees: the attendees of a component.
        steps: the sizes of the budgets.
    """

    octets: int = MAX_SIZE
    overrides: int = MAX_OVERRIDES
    dates: int = MAX_DATES
    alarms: int = MAX_ALARMS
    attendees: int = MAX_ATTENDEES
    steps: Steps = USUAL_STEPS

    @property
    def small(self) -> int:
        """Octets too few to exceed any of these limits, or those of time zones."""
        return min(
            _SMALL, 20 * self.overrides, 2 * self.dates, 20 * self.alarms, 9 * self.attendees
        )


_SMALL = 8_000
USUAL_LIMITS = ObjectLimits()
