"""The layout of a feed's page: lanes, columns, lists, colours; and objects that are not parsed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.feeds.compose.visibility import apply_visibility
from kalends.feeds.definitions.model import Rules
from kalends.ical.recurrence.days import DAY
from kalends.store.feed_queries import CalendarState
from kalends.store.objects.read import ObjectRow
from kalends.webui.feed import colors
from kalends.webui.feed.index_query import is_uniform
from kalends.webui.feed.layout.agenda import agenda_of
from kalends.webui.feed.layout.day import MIN_MINUTES, hours_of, shown_hours
from kalends.webui.feed.layout.month import row_of, weeks_of
from kalends.webui.feed.occurrence import PageObject, PageOccurrence, day_number, range_of_days
from kalends.webui.feed.periods import period_of
from kalends.webui.feed.url_params import BadQueryError, PageParams, parse_query
from support.installation import event

MONDAY = date(2026, 3, 2)
FIRST = day_number(MONDAY)


ITEM = PageObject(1, "uid", CalendarState(1, "a/b", "", 1, 0, {}))


def occurrence(begin: int, length: int, *, floating: bool = False) -> PageOccurrence:
    """Return an occurrence that begins so many seconds after the first Monday."""
    start = FIRST * DAY + begin
    return PageOccurrence(ITEM, start, floating, start, start + length)


OCCURRENCES = st.lists(
    st.one_of(
        st.builds(
            lambda day, days: occurrence(day * DAY, days * DAY, floating=True),
            st.integers(-10, 20),
            st.integers(1, 12),
        ),
        st.builds(
            lambda day, minute, minutes: occurrence(day * DAY + minute * 60, minutes * 60 or 1),
            st.integers(-1, 14),
            st.integers(0, 1439),
            st.one_of(st.integers(0, 300), st.integers(0, 4000)),
        ),
    ),
    max_size=60,
).map(lambda found: sorted(found, key=PageOccurrence.sort_key))


def days(count: int) -> list[date]:
    return [MONDAY + timedelta(days=n) for n in range(count)]


@given(OCCURRENCES, st.integers(2, 6))
def test_a_month_shows_each_occurrence_in_a_lane_of_its_own_or_counts_it(
    found: list[PageOccurrence], lanes: int
) -> None:
    for n, row in enumerate(weeks_of(days(14), found, lanes)):
        lines: Counter[tuple[int, int]] = Counter()
        present: Counter[int] = Counter()
        for cell in row:
            for segment in cell.segments:
                assert 1 <= segment.lane <= lanes
                for column in range(segment.column, segment.column + segment.span):
                    lines[column, segment.lane] += 1
                    present[column] += 1
        assert set(lines.values()) <= {1}
        for column, cell in enumerate(row, 1):
            number = FIRST + 7 * n + column - 1
            expected = sum(h.first <= number <= (h.last if h.is_bar else h.first) for h in found)
            assert present[column] + cell.more == expected
            if expected <= lanes and not any(h.is_bar for h in found):
                assert cell.more == 0
            if cell.more:
                assert cell.lane <= lanes
                assert (column, cell.lane) not in lines


@given(OCCURRENCES)
def test_an_occurrence_of_several_days_is_one_bar_in_each_week(found: list[PageOccurrence]) -> None:
    for n, row in enumerate(weeks_of(days(14), found, 99)):
        begin, end = FIRST + 7 * n, FIRST + 7 * n + 6
        shown = [segment for cell in row for segment in cell.segments]
        expected = [
            h for h in found if h.first <= end and (h.last if h.is_bar else h.first) >= begin
        ]
        assert Counter(id(s.occurrence) for s in shown) == Counter(map(id, expected))
        for segment in shown:
            assert segment.from_before == (segment.occurrence.first < begin)
            assert segment.goes_on == (segment.occurrence.is_bar and segment.occurrence.last > end)


@given(OCCURRENCES, st.integers(1, 6))
def test_no_block_among_the_hours_covers_another(found: list[PageOccurrence], places: int) -> None:
    for number, day in enumerate(days(3)):
        hours = hours_of(day, found, places)
        midnight = (FIRST + number) * DAY
        expected = [
            h for h in found if not h.is_bar and h.begin < midnight + DAY and h.finish > midnight
        ]
        assert len(hours.blocks) + hours.more == len(expected)
        for block in hours.blocks:
            assert 0 <= block.top <= 1440 - MIN_MINUTES
            assert block.top + block.length <= 1440
            assert block.column < block.columns <= places
        for one in hours.blocks:
            for other in hours.blocks:
                if one is not other and one.column * other.columns == other.column * one.columns:
                    apart = one.top + one.length <= other.top or (
                        other.top + other.length <= one.top
                    )
                    assert apart
        first, last = shown_hours([hours])
        assert first * 60 <= min([b.top for b in hours.blocks], default=480)
        assert last * 60 >= max([b.top + b.length for b in hours.blocks], default=0)


@given(OCCURRENCES, st.integers(1, 9))
def test_the_pages_of_an_agenda_list_everything_once(
    found: list[PageOccurrence], most: int
) -> None:
    until = MONDAY + timedelta(days=14)
    whole = agenda_of(MONDAY, until, found, 0, 10_000)
    assert whole.rest is None
    listed: list[tuple[date, PageOccurrence]] = []
    place: tuple[date, int] | None = (MONDAY, 0)
    while place:
        part = agenda_of(place[0], until, found, place[1], most)
        assert sum(len(day.found) for day in part.days) <= most
        listed += [(day.day, h) for day in part.days for h in day.found]
        place = part.rest
    assert [d for d, _ in listed] == [day.day for day in whole.days for _ in day.found]
    assert Counter((d, id(h)) for d, h in listed) == Counter(
        (day.day, id(h)) for day in whole.days for h in day.found
    )


def test_the_occurrence_that_begins_first_is_on_top() -> None:
    tour = occurrence(-2 * DAY, 5 * DAY, floating=True)
    fair = occurrence(DAY, 2 * DAY, floating=True)
    lunch = occurrence(DAY + 43200, 3600)
    row = row_of(days(7), [tour, fair, lunch], 3)
    lines = {id(s.occurrence): s.lane for cell in row for s in cell.segments}
    assert [lines[id(h)] for h in (tour, fair, lunch)] == [1, 2, 3]


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)), st.integers(0, 6))
def test_a_period_contains_its_day_and_borders_on_the_next(day: date, week_begins: int) -> None:
    for view in ("month", "week", "day", "agenda"):
        period = period_of(view, day, week_begins)
        assert period.first <= day < period.until
        if view in ("month", "week"):
            assert period.first.weekday() == week_begins
            assert (period.until - period.first).days % 7 == 0
        if period.after:
            after = period_of(view, period.after, week_begins)
            assert after.first <= period.until
            assert after.before is not None
            assert period_of(view, after.before, week_begins) == period


@settings(max_examples=300)
@given(st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}"))
def test_every_colour_gives_text_that_can_be_read(color: str) -> None:
    for shades, paper in ((colors.light(color), "#ffffff"), (colors.dark(color), "#161616")):
        assert colors.contrast(shades.ink, shades.back) >= 4.5
        assert colors.contrast(shades.mark, paper) >= 3
        assert colors.contrast(shades.ink, paper) >= 4.5  # a tentative event has no background


@given(st.text(max_size=60))
def test_any_query_is_parsed_or_refused(text: str) -> None:
    try:
        query = parse_query(text)
    except BadQueryError:
        return
    assert parse_query(query.link(skip=query.skip, event=query.event, at=query.at)[1:]) == query


def test_links_keep_the_zone_and_the_frame() -> None:
    query = parse_query("tz=Asia/Tokyo&embed=1&view=week&date=2026-03-02&skip=3")
    assert query == PageParams("week", MONDAY, ZoneInfo("Asia/Tokyo"), embed=True, skip=3)
    link = query.link(view="day", day=date(2026, 3, 3))
    assert link == "?view=day&date=2026-03-03&tz=Asia%2FTokyo&embed=1"


def test_the_length_of_a_day_depends_on_its_zone() -> None:
    vienna = range_of_days(date(2026, 3, 29), date(2026, 3, 30), ZoneInfo("Europe/Vienna"))
    assert vienna.end - vienna.start == 23 * 3600
    assert vienna.local_end - vienna.local_start == DAY
    utc = range_of_days(date(2026, 3, 29), date(2026, 3, 30), UTC)
    assert utc[:2] == utc[2:]


LINES = st.lists(
    st.sampled_from(
        [
            "CLASS:PUBLIC",
            "CLASS:PRIVATE",
            "class:confidential",
            "CLASS;X-A=b:PRIVATE",
            "CLA\r\n SS:PRIVATE",
            "CLASS:PUB\r\n LIC",
            "CLASS:PUBLIC\r\n X",
            "CLASS:X-SOMETHING",
            "CLASS:",
            "DESCRIPTION:a class of its own",
            "DESCRIPTION:words\\nCLASS:PRIVATE",
            "X-A:\r\n CLASS:PRIVATE",
            "STATUS:CANCELLED",
            "STATUS:cancel\r\n led",
            "LOCATION:here",
        ]
    ),
    max_size=4,
)


def stored(data: bytes) -> ObjectRow:
    """Return an object of one event, as the store gives it."""
    place = (1, 1, "u.ics", "u", '"e"', "VCALENDAR", "VEVENT")
    return ObjectRow(*place, 0, len(data), data)


@given(
    LINES,
    LINES,
    st.sampled_from(["hide", "busy", "show"]),
    st.booleans(),
)
def test_an_event_that_is_not_parsed_is_shown_whole_or_as_busy(
    lines: list[str], of_override: list[str], private: str, busy: bool
) -> None:
    override = [
        "BEGIN:VEVENT",
        "UID:u",
        "DTSTAMP:20260101T000000Z",
        "RECURRENCE-ID:20260106T090000Z",
        "DTSTART:20260106T100000Z",
        *of_override,
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    body = event("u", "20260105T090000Z", "RRULE:FREQ=DAILY;COUNT=3", *lines)
    row = stored(body.replace(b"END:VCALENDAR\r\n", "\r\n".join(override).encode()))
    if not is_uniform(row):
        return
    try:
        copy = apply_visibility(row, "a/b", Rules("x", private, busy=busy), Budget())
    except (IcalendarSyntaxError, ObjectRefusedError):
        return
    assert copy is not None
    assert len(copy.components) == 2
    assert copy.is_private == busy
    assert not copy.components[0].all("EXDATE")
