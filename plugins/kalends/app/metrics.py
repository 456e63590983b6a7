"""What the administrator's Prometheus reads: counted by each worker, told for all of them.

The workers of a server write into files of one folder, which whoever is asked adds up
(prometheus_client's multiprocess mode): a number survives the worker that counted it. What is not
counted but is so (how large the store is, what is behind) is looked up when it is asked for.

The folder stands in the environment before this module is loaded, and it is loaded nowhere else.
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

__all__ = ["CONTENT_TYPE", "Gauge", "Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = frozenset(
    {
        *("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PROPFIND", "PROPPATCH", "REPORT"),
        *("MKCALENDAR", "MKCOL", "MOVE", "COPY"),
    }
)

Gauge = tuple[str, str, float]
"""What is looked up: a name without ``kalends_``, what it says, its value."""

_requests = Histogram(
    "kalends_request_duration_seconds",
    "Requests, from their header to the end of their answer.",
    ["method", "status"],
    buckets=_SECONDS,
)
_failed_logins = Counter("kalends_failed_logins", "Logins that were refused.", ["scheme"])
_compositions = Histogram(
    "kalends_feed_composition_seconds", "Feeds that were composed anew.", buckets=_SECONDS
)


class Metrics:
    """The numbers of one worker, and the way to those of all."""

    def __init__(self) -> None:
        # A look into the library's own table of labels takes longer than counting.
        self._observers: dict[tuple[str, str], Callable[[float], None]] = {}

    def answered(self, method: str, status: str, seconds: float) -> None:
        """A request was answered."""
        observe = self._observers.get((method, status))
        if observe is None:
            known = method if method in _METHODS else "other"
            observe = _requests.labels(known, status).observe
            if known == method:  # methods that clients make up must not fill our memory
                self._observers[method, status] = observe
        observe(seconds)

    def login_failed(self, scheme: str) -> None:
        """A login was refused; ``scheme`` is empty where the client named none that is offered."""
        _failed_logins.labels(scheme or "other").inc()

    def composed(self, seconds: float) -> None:
        """A feed was composed."""
        _compositions.observe(seconds)

    def text(self, gauges: Iterable[Gauge]) -> bytes:
        """All numbers of all workers, in Prometheus' text format 0.0.4."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(_LookedUp(gauges))
        return generate_latest(registry)


class _LookedUp(Collector):
    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = list(gauges)

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("kalends", "The server.", value={"version": __version__})
        for name, text, value in self._gauges:
            yield GaugeMetricFamily(f"kalends_{name}", text, value=value)
