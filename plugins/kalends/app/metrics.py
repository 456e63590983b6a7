"""Metrics for Prometheus: each worker counts, and any of them reports the sum.

The workers of a server write into files of one folder, which the worker that is asked adds up
(prometheus_client's multiprocess mode), so numbers survive the worker that counted them. Values
that are not counted (the size of the store, the publication lag) are read at each request.

The environment must name the folder before this module is imported, which only servers do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from kalends import __version__
from kalends.limit_names import Limit

__all__ = ["CONTENT_TYPE", "Gauge", "Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = frozenset(
    {
        *("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PROPFIND", "PROPPATCH", "REPORT"),
        *("MKCALENDAR", "MKCOL", "MOVE", "COPY"),
    }
)

Gauge = tuple[str, str, float]
"""A current value: its name without ``kalends_``, its description, the value."""

_requests = Histogram(
    "kalends_request_duration_seconds",
    "Requests, from their header to the end of their answer.",
    ["method", "status"],
    buckets=_SECONDS,
)
_refusals = Counter(
    "kalends_refused_by_limit",
    "Requests and connections that ended because of a limit.",
    ["limit"],
)
_stuck = Counter(
    "kalends_stuck_requests", "Requests that made no progress for too long, whatever came of them."
)
_failed_logins = Counter("kalends_failed_logins", "Logins that were refused.", ["scheme"])
_compositions = Histogram(
    "kalends_feed_composition_seconds", "Compositions of feeds.", buckets=_SECONDS
)


class Metrics:
    """The counters of this worker, and the report of all workers."""

    def __init__(self) -> None:
        # Finding labels in the library's own table takes longer than counting.
        self._observers: dict[tuple[str, str], Callable[[float], None]] = {}

    def count_request(self, method: str, status: str, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            method: its HTTP method.
            status: the status code of the answer.
            seconds: the time from its header to the end of the answer.
        """
        observe = self._observers.get((method, status))
        if observe is None:
            known = method if method in _METHODS else "other"
            observe = _requests.labels(known, status).observe
            if known == method:  # invented methods of clients must not fill the memory
                self._observers[method, status] = observe
        observe(seconds)

    def count_failed_login(self, scheme: str) -> None:
        """Count a login that was refused; ``scheme`` is empty if the client named none on offer."""
        _failed_logins.labels(scheme or "other").inc()

    def count_refusal(self, limit: Limit) -> None:
        """Count a request or connection that ended because of a limit."""
        _refusals.labels(limit.value).inc()

    def count_stuck(self) -> None:
        """Count a request that takes too long."""
        _stuck.inc()

    def record_composition(self, seconds: float) -> None:
        """Record the composition of a feed, which took so many seconds."""
        _compositions.observe(seconds)

    def text(self, gauges: Iterable[Gauge]) -> bytes:
        """Return the metrics of all workers, in Prometheus' text format 0.0.4."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(_CurrentValues(gauges))
        return generate_latest(registry)


class _CurrentValues(Collector):
    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = list(gauges)

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("kalends", "The server.", value={"version": __version__})
        for name, text, value in self._gauges:
            yield GaugeMetricFamily(f"kalends_{name}", text, value=value)
