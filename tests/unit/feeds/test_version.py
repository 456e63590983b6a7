"""Dates and entity tags of versions of feeds."""

from __future__ import annotations

from kalends.feeds.version import FeedVersion

NOW = 1_790_000_000.25


def versions(*contents: str, now: float = NOW) -> list[FeedVersion]:
    """Return versions that follow each other within a second."""
    found: list[FeedVersion] = []
    for number, content in enumerate(contents):
        previous = found[-1] if found else None
        found.append(FeedVersion.after(previous, f"state {number}", content, now))
    return found


def test_the_same_octets_are_the_same_version() -> None:
    first, second = versions("a", "a")
    assert first.etag() == second.etag() == '"a"'
    assert second.etag("gzip") == '"a-gzip"'
    assert (second.modified, second.since) == (first.modified, first.since)
    assert (first.state, second.state) == ("state 0", "state 1")


def test_each_version_has_a_later_date_and_none_is_in_the_future() -> None:
    dates = [version.modified or 0 for version in versions("a", "b", "a", "c", "a")]
    assert dates == sorted(set(dates))
    assert dates[-1] <= NOW


def test_a_clock_that_is_put_back_gives_later_dates() -> None:
    (first,) = versions("a")
    second = FeedVersion.after(first, "state", "b", NOW - 3600)
    assert (second.modified or 0) > (first.modified or 0)
    assert not second.is_known_since(int(NOW - 3000), NOW - 2900)


def test_a_client_has_the_version_of_its_date() -> None:
    first, second = versions("a", "b")
    assert first.modified
    assert second.modified
    assert second.is_known_since(second.modified, NOW + 60)
    assert not second.is_known_since(first.modified, NOW + 60)
    assert not first.is_known_since(second.modified, NOW + 60)


def test_a_client_that_sends_the_time_of_its_request_has_what_was_current_then() -> None:
    (only,) = versions("a")
    second = int(NOW)
    # In the same second, it may have asked before this version.
    assert not only.is_known_since(second, NOW + 60)
    assert only.is_known_since(second + 1, NOW + 60)
    assert not only.is_known_since(second + 3600, NOW + 60)  # a time in the future


def test_a_version_without_a_date_is_never_known_by_one() -> None:
    version = FeedVersion("state", "a", None, 0)
    assert not version.is_known_since(int(NOW), NOW)
    assert FeedVersion.after(version, "state", "b", NOW).modified
