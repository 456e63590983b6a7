"""Expansion, free-busy, pages and the index agree about when a series happens."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kalends.common.budget import REQUEST_STEPS, Budget
from kalends.ical import contentlines
from kalends.ical.recurrence.index import matches_time_range
from kalends.ical.recurrence.instances import Kind, Moment, instances_between, own_times
from kalends.ical.recurrence.occurrences import occurrences_between
from kalends.ical.retrieval.expand import expand
from kalends.ical.retrieval.free_busy import BusyPeriod, busy_periods, merge_periods
from kalends.ical.timezones.resolve import vtimezones_of
from support.randomseries import Series, random_series

DAY = 86400
ZONES = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5))])


@given(random_series, st.integers(-5, 40), st.integers(1, 40), ZONES)
def test_all_say_the_same_of_a_time_range(
    series: Series, day: int, length: int, zone: dt.timezone
) -> None:
    start = int(series.start.replace(hour=0, minute=0, tzinfo=dt.UTC).timestamp()) + day * DAY
    end = start + length * DAY
    text = series.text()
    (calendar,) = contentlines.parse(text)
    zones = vtimezones_of(calendar)
    parts = [child for child in calendar.children if child.name == "VEVENT"]
    budget = Budget(REQUEST_STEPS)

    made = expand(calendar, start, end, zone, budget, lambda: None)
    stated = [own_times(part, {}) for part in made.children]
    expanded = Counter(tuple(moment.to_instant(zone) for moment in times) for times in stated)

    page: Counter[tuple[int, int]] = Counter()
    for occurrence, _ in occurrences_between(parts, zones, start, end, zone, budget):
        kind: Kind = "floating" if occurrence.floating else "utc"
        begin, finish = (Moment(at, kind).to_instant(zone) for at in occurrence[:2])
        page[begin, begin if finish == begin + 1 else finish] += 1
    assert page == expanded

    found = instances_between(parts, zones, start, end, zone, budget)
    assert sum(1 for _ in found) == expanded.total()
    assert matches_time_range(text.encode(), start, end, zone, budget) is bool(expanded)

    busy = busy_periods(text.encode(), start, end, zone, budget, lambda: None)
    whole = [BusyPeriod("BUSY", max(b, start), min(f, end)) for b, f in expanded]
    assert merge_periods(busy) == merge_periods(p for p in whole if p.start < p.end)
