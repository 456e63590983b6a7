"""What Kalends needs of dateutil beyond its public names, in the pinned version."""

from __future__ import annotations

import io
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from dateutil.tz import tzical
from icalendar import Timezone

from kalends.ical.timezones.dateutil_compat import observances_of


def test_dateutil_keeps_the_parts_of_a_time_zone_where_we_look_for_them() -> None:
    text = Timezone.from_tzid("Europe/Berlin").to_ical().decode()
    zone = tzical(io.StringIO(text)).get()
    assert zone is not None
    parts = observances_of(zone)
    assert {(part.tzoffsetto, bool(part.isdst)) for part in parts} == {
        (timedelta(hours=1), False),
        (timedelta(hours=2), True),
    }
    for part in parts:
        first = next(iter(part.rrule))
        assert first.tzinfo is None, "an onset is local time"


def test_no_other_time_zone_has_such_parts() -> None:
    assert observances_of(UTC) == observances_of(ZoneInfo("Europe/Berlin")) == []
