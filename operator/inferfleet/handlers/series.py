"""What /metrics reads from the parts of the process when somebody asks.

The one rule: reading changes nothing, costs a beat nothing, and a replica that stands by shows zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from inferfleet.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from inferfleet.kube.lease import Lease
    from inferfleet.reconcile.operator import Operator


def show_lease(metrics: Metrics, lease: Callable[[], Lease | None]) -> None:
    """Show whether this replica leads, and how often the leader changed."""

    def leads() -> float:
        found = lease()
        return float(found is not None and found.valid())

    def transitions() -> float:
        found = lease()
        return found.transitions if found else 0

    metrics.gauge("inferfleet_leader", "1 while this replica holds a valid Lease, else 0.", leads)
    metrics.counter(
        "inferfleet_leader_transitions_total", "How often the leader has changed, as the Lease counts it.", transitions
    )


def show_work(metrics: Metrics, operator: Callable[[], Operator | None]) -> None:
    """Show the queue, the workers and the events of a leader."""

    def read(of: Callable[[Operator], float]) -> Callable[[], float]:
        def value() -> float:
            found = operator()
            return of(found) if found else 0.0

        return value

    metrics.gauge("inferfleet_workqueue_depth", "Models that wait for a worker.", read(lambda one: len(one.queue)))
    metrics.gauge(
        "inferfleet_workqueue_oldest_age_seconds",
        "How long the model that waits longest has waited for a worker.",
        read(lambda one: one.queue.oldest_age),
    )
    metrics.counter("inferfleet_workqueue_adds_total", "Wake-ups of models.", read(lambda one: one.queue.adds))
    metrics.counter(
        "inferfleet_workqueue_retries_total", "Models that came back after a failure.", read(lambda o: o.queue.retries)
    )
    metrics.gauge("inferfleet_active_workers", "Beats that run now.", read(lambda one: one.queue.running))
    metrics.counter(
        "inferfleet_events_dropped_total",
        "Kubernetes events that were not recorded: too many, or refused.",
        read(lambda one: one.dropped_events),
    )


def show_informers(metrics: Metrics, operator: Callable[[], Operator | None], monotonic: Callable[[], float]) -> None:
    """Show what the caches hold, and for how long each watch has been silent."""

    def objects() -> dict[str, float]:
        found = operator()
        return {} if found is None else {name: float(size) for name, size in found.cached.items()}

    def silences() -> dict[str, float]:
        now = monotonic()
        return {resource: max(0.0, now - at) for resource, at in metrics.heard_at.items()}

    metrics.gauges("inferfleet_informer_objects", "Objects in the caches.", "cache", objects)
    metrics.gauges(
        "inferfleet_watch_silence_seconds",
        "How long a watch has said nothing; the API server sends a bookmark each minute.",
        "resource",
        silences,
    )
