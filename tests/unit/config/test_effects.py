"""Radicale's options have their documented effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.installation import NAMES, Client, Installation, event

DAILY = "RRULE:FREQ=DAILY;COUNT=9"
CALENDAR = "/alice/calendar/"
_RANGE = 'start="20260101T000000Z" end="20260201T000000Z"'
_SPACES = " ".join(f'xmlns:{short}="{NAMES[short]}"' for short in "DC")
EXPAND = (
    f"<C:calendar-query {_SPACES}><D:prop><C:calendar-data><C:expand {_RANGE}/></C:calendar-data>"
    '</D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
    f"<C:time-range {_RANGE}/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
)
FREE_BUSY = f"<C:free-busy-query {_SPACES}><C:time-range {_RANGE}/></C:free-busy-query>"


@contextmanager
def client(folder: Path, **options: str) -> Iterator[Client]:
    """Start the application with these options and an event on nine days."""
    with Installation(folder, options=options).client() as asking:
        put = asking("PUT", f"{CALENDAR}a.ics", event("a", "20260105T090000Z", DAILY))
        assert put.status == 201
        yield asking


@pytest.mark.parametrize(
    ("option", "body"), [("max_expand_occurrence", EXPAND), ("max_freebusy_occurrence", FREE_BUSY)]
)
def test_occurrences_of_reports_are_limited(tmp_path: Path, option: str, body: str) -> None:
    with client(tmp_path, **{f"reporting__{option}": "20"}) as asking:
        assert asking("REPORT", CALENDAR, body).status in (200, 207)
    (tmp_path / "less").mkdir()
    with client(tmp_path / "less", **{f"reporting__{option}": "5"}) as asking:
        answer = asking("REPORT", CALENDAR, body)
        assert (answer.status, answer.precondition()) == (403, f"{{{NAMES['C']}}}max-instances")


def test_the_free_busy_view_covers_the_configured_days(tmp_path: Path) -> None:
    days = {"reporting__freebusy_view_past_days": "3", "reporting__freebusy_view_future_days": "5"}
    with client(tmp_path, **days) as asking:
        answer = asking("GET", f"{CALENDAR}?view=freebusy")
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = (today + timedelta(days=days) for days in (-3, 5))
    assert f"DTSTART:{start:%Y%m%dT%H%M%SZ}".encode() in answer.body
    assert f"DTEND:{end:%Y%m%dT%H%M%SZ}".encode() in answer.body


@pytest.mark.parametrize(("permitted", "status"), [("True", 204), ("False", 403)])
def test_deletion_of_collections_can_be_forbidden(
    tmp_path: Path, permitted: str, status: int
) -> None:
    with client(tmp_path, rights__permit_delete_collection=permitted) as asking:
        assert asking("DELETE", CALENDAR).status == status


def test_headers_are_added_to_all_answers(tmp_path: Path) -> None:
    with client(tmp_path, **{"headers__X-Of-The-House": "yes"}) as asking:
        for path in (f"{CALENDAR}a.ics", "/.web/"):
            answer = asking("GET", path)
            assert (answer.status, answer.headers["x-of-the-house"]) == (200, "yes")
