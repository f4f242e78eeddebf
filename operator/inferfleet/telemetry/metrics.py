"""The operator's own metrics, in Prometheus' text format.

The one rule: a label has few values, and all of them are ours: kinds, verbs, results. A text or a name that somebody
wrote never becomes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

BEAT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 4.0, 30.0)
LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
REASONS = frozenset(
    {
        "BadAnswer", "EventTooLarge", "Expired", "Forbidden", "Gone", "HistoryRewound", "InternalError", "NotFound",
        "ResourceVersionTooLarge", "ServerTimeout", "ServiceUnavailable", "Timeout", "TooManyRequests", "Unauthorized",
        "Unreachable",
    }
)  # fmt: skip
"""Why a watch broke off; what else an API server may say is `Other`."""

# When a series began is one more series for each, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # - not typed there


@dataclass(frozen=True, slots=True)
class _Read(Collector):
    """Series that are read when somebody asks, so that they cost nothing while nobody does."""

    family: type[GaugeMetricFamily | CounterMetricFamily]
    name: str
    text: str
    label: str
    read: Callable[[], Mapping[str, float]]

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Read."""
        found = self.family(self.name, self.text, labels=[self.label] if self.label else [])
        for label, value in self.read().items():
            found.add_metric([label] if self.label else [], value)
        yield found


class Metrics:
    """All series of one operator process."""

    def __init__(self) -> None:
        """Start a registry of our own, so that tests may have many."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._beats = Histogram(
            "inferfleet_beat_duration_seconds",
            "Duration of one look at one model, by how it ended.",
            ["result"],
            buckets=BEAT_BUCKETS,
            registry=self.registry,
        )
        self._requests = Histogram(
            "inferfleet_api_request_duration_seconds",
            "Duration of requests to the API server; status 0: no answer. Of a watch, until it is open.",
            ["verb", "resource", "status"],
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._writes = Counter(
            "inferfleet_writes_total", "Writes that were carried out.", ["kind", "verb"], registry=self.registry
        )
        self._relists = Counter(
            "inferfleet_watch_relists_total", "Listings of a kind.", ["resource"], registry=self.registry
        )
        self._restarts = Counter(
            "inferfleet_watch_restarts_total", "Watches that broke off.", ["resource", "reason"], registry=self.registry
        )
        self._lag = Histogram(
            "inferfleet_loop_lag_seconds",
            "How late an event loop was at what was due, seen twice a second.",
            ["loop"],
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        self._heard_at: dict[str, float] = {}

    @property
    def heard_at(self) -> Mapping[str, float]:
        """When each watch last said something, on the clock of whoever said so."""
        return MappingProxyType(self._heard_at)

    def beat(self, result: str, seconds: float) -> None:
        """Take note of one beat."""
        self._beats.labels(result).observe(seconds)

    def request(self, verb: str, resource: str, status: int, seconds: float) -> None:
        """Take note of one request to the API server."""
        self._requests.labels(verb, resource, str(status)).observe(seconds)

    def wrote(self, verb: str, kind: str) -> None:
        """Take note of a write that was carried out."""
        self._writes.labels(kind, verb).inc()

    def heard(self, resource: str, at: float) -> None:
        """Take note that a watch said something."""
        self._heard_at[resource] = at

    def relisted(self, resource: str, objects: int) -> None:  # noqa: ARG002 - the protocol names both
        """Take note of a listing."""
        self._relists.labels(resource).inc()

    def restarted(self, resource: str, reason: str) -> None:
        """Take note that a watch broke off."""
        self._restarts.labels(resource, reason if reason in REASONS else "Other").inc()

    def lagged(self, loop: str, seconds: float) -> None:
        """Take note of how late a loop was; may be called from its thread."""
        self._lag.labels(loop).observe(seconds)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a number that is read when somebody asks."""
        self.registry.register(_Read(GaugeMetricFamily, name, text, "", lambda: {"": read()}))

    def gauges(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Show numbers by a label, read when somebody asks."""
        self.registry.register(_Read(GaugeMetricFamily, name, text, label, read))

    def counter(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a number that only grows, read when somebody asks."""
        self.registry.register(_Read(CounterMetricFamily, name, text, "", lambda: {"": read()}))

    def text(self) -> bytes:
        """Write all series."""
        return generate_latest(self.registry)
