"""The loop: so many clients, each with one request at a time, until the count, the time or a stop.

Rule: closed and bounded; what was begun is waited for, so that nothing is counted lost because we left.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from e2e.load.protocols import PROTOCOLS, Request, reason
from e2e.load.report import Outcome, Part, judge, summary

MOST_CLIENTS = 64
MOST_REQUESTS = 10_000
MOST_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much, how long, in which protocol."""

    request: Request
    protocol: str = "stream"
    clients: int = 4
    count: int = 100
    seconds: float = 60.0
    pause_seconds: float = 0.2  # after a failure, so that a dead server is not hammered

    def __post_init__(self) -> None:
        """Refuse a load without bounds."""
        limits = ((self.clients, MOST_CLIENTS), (self.count, MOST_REQUESTS), (self.seconds, MOST_SECONDS))
        if not all(0 < asked <= most for asked, most in limits):
            raise ValueError(f"clients, count and seconds must be above 0 and at most {[most for _, most in limits]}")


async def run(load: Load, stop: asyncio.Event | None = None) -> dict[str, Any]:
    """Run a load to its end and return the summary."""
    stop = stop or asyncio.Event()
    began, outcomes, tickets = time.monotonic(), list[Outcome](), iter(range(load.count))
    timeout = aiohttp.ClientTimeout(total=load.request.timeout_seconds)
    connector = aiohttp.TCPConnector(limit=0, force_close=not load.request.keep_alive)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

        async def client() -> None:
            while not stop.is_set() and time.monotonic() - began < load.seconds and next(tickets, None) is not None:
                outcomes.append(await _one(load, session))
                if outcomes[-1].why:
                    await asyncio.sleep(load.pause_seconds)

        await asyncio.gather(*(client() for _ in range(load.clients)))
    return summary(outcomes, time.monotonic() - began)


async def _one(load: Load, session: aiohttp.ClientSession) -> Outcome:
    began, first, failure = time.monotonic(), 0.0, ""
    parts: list[Part] = []
    try:
        async for part in PROTOCOLS[load.protocol](load.request, session):
            first = first or time.monotonic() - began
            parts.append(part)
    except Exception as problem:
        known = reason(problem)
        if known is None:
            raise
        failure = known
    return judge(parts, load.request.max_tokens, failure, (first, time.monotonic() - began))
