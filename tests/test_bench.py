"""The bench measures what it says: its events, and its verdicts."""

from __future__ import annotations

import re

import pytest

from bench.events import VIENNA, events
from bench.operations import OPERATIONS
from bench.report import FEEDLESS, KALENDS, RADICALE, SMALL, TARGETS, Medians, Times, targets


def test_events_are_the_same_on_each_run_and_in_the_stated_proportions() -> None:
    texts = [event.text for event in events(5000)]
    assert texts == [event.text for event in events(5000)]
    assert texts[:100] == [event.text for event in events(100)]
    assert 3_500 < len(VIENNA) < 5_000

    def share(pattern: str) -> float:
        return sum(1 for text in texts if re.search(pattern, text)) / len(texts)

    # rules of the event itself: those of zones stand before BEGIN:VEVENT
    assert share(r"BEGIN:VEVENT(?s:.)*RRULE") == pytest.approx(0.1, abs=0.02)
    assert share("VALUE=DATE:") == pytest.approx(0.2, abs=0.02)
    assert share("DTSTART;TZID=Europe/Berlin") == pytest.approx(0.25, abs=0.02)
    assert share("DTSTART;TZID=Europe/Vienna") == pytest.approx(0.1, abs=0.02)


def measured(kalends: float, *, radicale: float = 1.0, small: float = 0.0) -> Times:
    """Return times in which every operation takes the same."""
    keys = [operation.key for operation in OPERATIONS]
    return {
        RADICALE: {key: [radicale] for key in keys},
        KALENDS: {key: [kalends] for key in keys},
        SMALL: {key: [small or kalends] for key in keys},
        FEEDLESS: {key: [kalends] for key in keys},
    }


def test_targets_hold_and_fail_by_what_was_measured() -> None:
    assert "DOES NOT" not in targets(Medians(measured(0.04)))
    too_slow = targets(Medians(measured(0.06)))
    assert too_slow.count("DOES NOT HOLD") == 5  # a sixteenth: enough for the eighths alone
    assert targets(Medians(measured(0.2))).count("DOES NOT HOLD") == 7
    grows = targets(Medians(measured(0.04, small=0.02)))
    assert grows.count("DOES NOT HOLD") == 6


def test_what_was_not_measured_is_said() -> None:
    assert targets(Medians({})).count("not measured") == len(TARGETS)
