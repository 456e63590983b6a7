"""The file of feed definitions: its options, and one clear error with a line number."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from kalends.errors import ConfigurationError
from kalends.feeds.definitions.parse import parse_definitions
from support.paths import ROOT

SHIPPED = ROOT / "config" / "feeds.toml"
PLAIN = '[feed.some]\ncalendars = ["alice/*"]\naccess = "login"\n'


@pytest.mark.parametrize(
    ("said", "days"), [("", None), ('past = "90d"', 90), ('past = "2w"', 14), ('past = "1y"', 366)]
)
def test_past_sets_how_many_days_back_a_feed_goes(said: str, days: int | None) -> None:
    assert parse_definitions(PLAIN + said, "feeds.toml").named["some"].rules.past == days


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('past = "90"', "'past' must be a duration such as"),
        ('past = "0d"', "'past' must be a duration such as"),
        ("past = 90", "'past' must be a string"),
        ('refresh = "1 hour"', "'refresh' must be a duration such as"),
        ('color = "blue"', "'color' must be a colour such as"),
        ('private = "maybe"', "it must be one of hide, busy, show"),
        ('components = ["VALARM"]', "'VALARM' is not one of"),
        ("alarms = 1", "'alarms' must be true or false"),
        ("window = 90", "'window' is unknown"),
    ],
)
def test_an_invalid_value_is_reported_with_its_line(line: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        parse_definitions(f"{PLAIN}{line}\n", "feeds.toml")
    assert str(told.value).startswith("feeds.toml:4: ")
    assert why in str(told.value)


def test_the_shipped_file_documents_every_option() -> None:
    text = SHIPPED.read_text("utf-8")
    told = set(re.findall(r"^#   (\w+) ", text, re.MULTILINE))
    with pytest.raises(ConfigurationError) as error:
        parse_definitions(f"{PLAIN}nothing = 1", "feeds.toml")
    known = str(error.value).partition("known are ")[2].split(", ")
    assert told == set(known)


def test_every_definition_of_the_shipped_file_is_valid() -> None:
    text = SHIPPED.read_text("utf-8")
    opened = re.sub(r"^#(?=\[feed|\w+ = )", "", text, flags=re.MULTILINE)
    found = parse_definitions(opened, str(SHIPPED))
    assert sorted(found.named) == ["choir", "everyone", "family"]
    assert found.each is not None


def test_the_cost_per_feed_does_not_grow_with_the_number_of_feeds() -> None:
    """No two published feeds may have one target; the check must not compare all pairs."""

    def lines_run(number: int) -> int:
        one = 'calendars = ["GROUPS/c{0}/*"]\naccess = "public"\npublish = ["c{0}.ics"]\n'
        text = "".join(f"[feed.c{i}]\n{one.format(i)}\n" for i in range(number))
        count = 0

        def trace(frame: FrameType, event: str, _arg: object) -> Callable[..., Any] | None:
            nonlocal count
            count += event == "line"
            return trace if "kalends" in frame.f_code.co_filename else None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            parse_definitions(text, "feeds.toml")
        finally:
            sys.settrace(before)
        return count

    few, many = lines_run(20), lines_run(400)
    assert few > 20
    assert many < 30 * few  # 20 times as many; a comparison of all pairs runs 60 times the lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[feed.a", {1}),
        ('[feed.a]\ncalendars = ["a/*"]\naccess = open\ntitle = "A"\n', {3}),
        ('[feed.a]\ncalendars = [\n  "a/*",\n  b/*,\n]\naccess = "login"\n', {2, 4}),
        ('[feed.a]\naccess = "login"\naccess = "login"\n', {3}),
        ('[feed.a]\n\ntitle = "never closed\n', {3}),
    ],
)
def test_a_toml_error_is_reported_with_a_line_of_its_statement(text: str, lines: set[int]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_definitions(text, "feeds.toml")
    assert raised.value.line in lines
    assert str(raised.value).startswith(f"feeds.toml:{raised.value.line}: ")
