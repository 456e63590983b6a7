"""The benchmark's events, HTTP client and verdicts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import growth, page, sections
from bench.events import KINDS, VIENNA, events, grown, new_event
from bench.load import Load, percentile
from bench.load import report as load_report
from bench.operations import OPERATIONS
from bench.report import TARGETS, targets
from bench.servers import CYRUS, EMPTY, FEEDLESS, KALENDS, RADICALE, SMALL
from bench.targets import Medians, Times
from bench.wire import BrokenAnswerError, Reader


def test_events_are_the_same_on_each_run_and_in_the_stated_proportions() -> None:
    texts = [event.text for event in events(5000)]
    assert texts == [event.text for event in events(5000)]
    assert texts[:100] == [event.text for event in events(100)]
    assert 3_500 < len(VIENNA) < 5_000

    def share(pattern: str) -> float:
        return sum(1 for text in texts if re.search(pattern, text)) / len(texts)

    # rules of the event itself: those of zones are before BEGIN:VEVENT
    assert share(r"BEGIN:VEVENT(?s:.)*RRULE") == pytest.approx(0.1, abs=0.02)
    assert share("VALUE=DATE:") == pytest.approx(0.2, abs=0.02)
    assert share("DTSTART;TZID=Europe/Berlin") == pytest.approx(0.25, abs=0.02)
    assert share("DTSTART;TZID=Europe/Vienna") == pytest.approx(0.1, abs=0.02)


def test_further_events_of_a_large_calendar_are_in_other_years() -> None:
    texts = [event.text for event in grown(100, 3000)]
    assert texts[:100] == [event.text for event in events(100)]
    years = re.compile(r"DTSTART[^:]*:(202[3-7])\d{4}")
    endless = re.compile(r"BEGIN:VEVENT(?s:.)*FREQ=(MONTHLY|YEARLY)")
    assert len(texts) == 3000
    assert not any(years.search(text) or endless.search(text) for text in texts[100:])
    assert any("WEEKLY;COUNT" in text for text in texts[100:])


def test_new_events_are_of_their_kind() -> None:
    texts = {kind: new_event("one", 1, kind) for kind in KINDS}
    assert "TZID" not in texts["utc"]
    assert "TZID:Europe/Berlin" in texts["berlin"]
    assert len(texts["vienna"]) > len(VIENNA)
    for part in ("RRULE:FREQ=WEEKLY", "EXDATE", "RECURRENCE-ID", "TZID:Europe/Berlin"):
        assert part in texts["recurring"]
    assert all(text.count("version 1") == text.count("BEGIN:VEVENT") for text in texts.values())


def read_answer(octets: bytes, size: int) -> Reader:
    """Return a reader that has read an answer in pieces; fail unless it ends with the last one."""
    reader = Reader()
    pieces = [octets[start : start + size] for start in range(0, len(octets), size)]
    assert [reader.add(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return reader


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_answers_are_read_to_their_end_in_pieces_of_any_size(size: int) -> None:
    sized = read_answer(b"HTTP/1.1 207 Multi-Status\r\nContent-Length: 5\r\n\r\nhello", size)
    assert (sized.status, sized.reply().body, sized.closes) == (207, b"hello", False)
    chunks = b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n\r\n"
    chunked = read_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, size)
    assert chunked.reply().body == b"hello, world"
    assert read_answer(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", size).closes


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    reader = Reader()
    assert not reader.add(b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert reader.add(b"")
    assert (reader.reply().body, reader.closes) == (b"hello", True)
    short = Reader()
    assert not short.add(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    with pytest.raises(BrokenAnswerError):
        short.add(b"")


def equal_times(
    kalends: float, *, radicale: float = 1.0, cyrus: float = 0.25, small: float = 0.0
) -> Times:
    """Return times in which every operation takes the same time."""
    keys = [operation.key for operation in OPERATIONS]
    return {
        RADICALE: {key: [radicale] for key in keys},
        CYRUS: {key: [cyrus] for key in keys},
        KALENDS: {key: [kalends] for key in keys},
        SMALL: {key: [small or kalends] for key in keys},
        FEEDLESS: {key: [kalends] for key in keys},
        EMPTY: {key: [kalends / 2] for key in keys},
    }


def test_targets_hold_or_fail_by_the_medians() -> None:
    assert "DOES NOT" not in targets(Medians(equal_times(0.04)))
    too_slow = targets(Medians(equal_times(0.06, cyrus=0.5)))
    assert too_slow.count("DOES NOT HOLD") == 5  # a sixteenth is enough for the eighths only
    assert targets(Medians(equal_times(0.2, cyrus=1))).count("DOES NOT HOLD") == 7
    grows = targets(Medians(equal_times(0.04, small=0.02)))
    assert grows.count("DOES NOT HOLD") == 6
    beaten = targets(Medians(equal_times(0.04, cyrus=0.1)))  # 0.4 of the best peer
    assert beaten.count("DOES NOT HOLD") == 2


def test_growth_holds_up_to_one_and_a_half() -> None:
    assert "DOES NOT" not in growth.report(Medians(equal_times(0.3, small=0.2)), 10, 1000)
    assert (
        growth.report(Medians(equal_times(0.31, small=0.2)), 10, 1000).count("DOES NOT HOLD") == 8
    )


def test_load_is_judged_by_its_rate_its_tail_and_its_errors() -> None:
    good = Load({"get": [0.01] * 99 + [0.09]}, [], 0.1, 1)
    slow = Load({"get": [0.01] * 25}, ["get: answered 500"] * 2, 0.1, 1)
    held = load_report({CYRUS: slow, KALENDS: good}, "head")
    assert held.count("DOES NOT HOLD") == 1  # Cyrus has errors
    assert "Cyrus: 2 times get: answered 500" in held
    late = Load({"get": [0.01] * 98 + [0.2] * 2}, [], 0.1, 2)
    assert load_report({CYRUS: slow, KALENDS: late}, "head").count("DOES NOT HOLD") == 3
    assert percentile([3, 1, 2], 0.99) == 3


def test_a_page_is_judged_by_its_slow_months() -> None:
    found = {"calendars": 100, "events": 1000, "in the month": 9, "seconds": {"month": [0.2] * 40}}
    assert "DOES NOT" not in page.report(found)
    found["seconds"] = {"month": [0.2] * 37 + [0.31] * 3}
    assert page.report(found).count("DOES NOT HOLD") == 1


def test_missing_measurements_are_reported() -> None:
    assert targets(Medians({})).count("not measured") == len(TARGETS)


def test_every_section_runs_for_kalends_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.json"
    sizes = "--events 40 --small 20 --repeat 1 --growth 60 --load-events 20 --load-clients 5"
    times = "--load-seconds 1 --load-warm-up 0.2 --account-events 120 --account-repeat 1"
    times += " --page-calendars 3 --page-events 60 --page-repeat 2"
    times += " --feed-calendars 12 --feed-events 5 --feed-ten-events 5 --feed-repeat 2"
    times += " --feed-burst 20 --feed-asked 5 --whole-repeat 2 --attacks entities"
    only = ["--only", KALENDS, EMPTY, "put", "ctag", "change", "month"]
    assert sections.main([*sizes.split(), *times.split(), *only, "--json", str(file)]) == 0
    printed = capfd.readouterr().out
    assert re.findall("^## (.*)", printed, re.MULTILINE) == [*sections.SECTIONS]
    found = json.loads(file.read_text())
    assert set(found["requests"]["seconds"]) == {KALENDS, EMPTY}
    assert {"put", "overwrite", "delete", "change"} < set(found["growth"]["seconds"][KALENDS])
    assert found["growth"]["hits in the month"] > 0
    assert found["load"]["servers"][KALENDS]["errors"] == []
    assert found["load"]["servers"][KALENDS]["requests/s"] > 0
    assert len(found["account"]["seconds"][KALENDS]) == 1
    assert len(found["page"]["seconds"]["month"]) == 2
    assert found["page"]["in the month"] > 0
    assert found["feeds"]["burst"]["rebuilds"] > 0
    assert len(found["feeds"]["fresh"]) == 2
    assert [cost["statuses"] for cost in found["attacks"]["costs"]] == [[400]]
