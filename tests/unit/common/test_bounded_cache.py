"""The cache with a bound in octets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kalends.common.bounded_cache import BoundedCache, remembered

BOUND = 16_000


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3000))))
def test_it_never_weighs_more_than_its_bound(puts: list[tuple[int, int]]) -> None:
    cache: BoundedCache[int, int] = BoundedCache(BOUND)
    for key, octets in puts:
        cache.put(key, key, octets)
        assert cache.octets <= BOUND
        assert cache.get(key) in (None, key)


def test_an_entry_that_is_large_beside_the_bound_is_not_kept() -> None:
    cache: BoundedCache[str, str] = BoundedCache(BOUND)
    cache.put("small", "value", 100)
    cache.put("large", "value", BOUND // 2)
    assert cache.get("small") == "value"
    assert cache.get("large") is None


def test_results_are_remembered_within_the_bound() -> None:
    calls: list[str] = []

    @remembered(BOUND, lambda text: len(text))
    def upper(text: str) -> str | None:
        calls.append(text)
        return text.upper() or None

    assert [upper("a"), upper("a"), upper(""), upper("")] == ["A", "A", None, None]
    assert calls == ["a", ""]
    for _ in range(2):
        assert upper("b" * BOUND) == "B" * BOUND
    assert len(calls) == 4
