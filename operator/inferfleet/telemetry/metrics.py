"""The operator's own metrics, in Prometheus' text format.

The one rule: a label has few values: kinds, verbs, results; a model's name only where one series a model is meant.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BEAT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)


class Metrics:
    """All series of one operator process."""

    def __init__(self) -> None:
        """Start a registry of our own, so that tests may have many."""
        self.registry = CollectorRegistry()
        self._beats = Histogram(
            "inferfleet_beat_seconds",
            "Duration of one look at one model, by how it ended.",
            ["result"],
            buckets=BEAT_BUCKETS,
            registry=self.registry,
        )
        self._requests = Histogram(
            "inferfleet_api_request_seconds",
            "Duration of requests to the API server.",
            ["verb", "resource", "status"],
            registry=self.registry,
        )
        self._heard = Gauge(
            "inferfleet_watch_heard_seconds",
            "When a watch last said something, on a clock of its own; compare with inferfleet_clock_seconds.",
            ["resource"],
            registry=self.registry,
        )
        self._relists = Counter("inferfleet_relists", "Listings of a kind.", ["resource"], registry=self.registry)
        self._restarts = Counter(
            "inferfleet_watch_restarts", "Watches that broke off.", ["resource", "reason"], registry=self.registry
        )

    def beat(self, result: str, seconds: float) -> None:
        """Take note of one beat."""
        self._beats.labels(result).observe(seconds)

    def request(self, verb: str, resource: str, status: int, seconds: float) -> None:
        """Take note of one request to the API server."""
        self._requests.labels(verb, resource, str(status)).observe(seconds)

    def heard(self, resource: str, at: float) -> None:
        """Take note that a watch said something."""
        self._heard.labels(resource).set(at)

    def relisted(self, resource: str, objects: int) -> None:  # noqa: ARG002 - the protocol names both
        """Take note of a listing."""
        self._relists.labels(resource).inc()

    def restarted(self, resource: str, reason: str) -> None:
        """Take note that a watch broke off."""
        self._restarts.labels(resource, reason).inc()

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a number that is read when somebody asks."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """Write all series."""
        return generate_latest(self.registry)
