"""Reads `/metrics` over HTTP, as Prometheus does."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from inferfleet.handlers import health
from inferfleet.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Page:
    """What one scrape showed."""

    kinds: dict[str, str]
    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """Read one series; there must be one."""
        return self.values[name, frozenset(labels.items())]

    def total(self, name: str) -> float:
        """Add up the series of a name."""
        return sum(value for (found, _), value in self.values.items() if found == name)

    def labels(self, name: str) -> list[dict[str, str]]:
        """List the labels of the series of a name."""
        return [dict(labels) for found, labels in self.values if found == name]


async def scrape(metrics: Metrics) -> Page:
    """Serve metrics as the process does, and read them once."""
    checks = health.Health(lambda: True, lambda: True, metrics.text)
    runner = await health.serve(checks, 0, "127.0.0.1")
    try:
        async with aiohttp.ClientSession() as session:
            port = runner.addresses[0][1]
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                assert answer.headers["Content-Type"] == health.CONTENT_TYPE
                text = await answer.text()
    finally:
        await runner.cleanup()
    families = list(text_string_to_metric_families(text))
    values = {
        (sample.name, frozenset(sample.labels.items())): sample.value for one in families for sample in one.samples
    }
    return Page({one.name: one.type for one in families}, values)
