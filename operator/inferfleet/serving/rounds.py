"""Rounds over pods: each is visited when it is due, a bounded number at once, and forgotten when it is gone.

The one rule: a visit never blocks a beat, and no place is visited twice at a time.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import suppress
from typing import Generic, NoReturn, Protocol, TypeVar

P = TypeVar("P", bound=Hashable)
logger = logging.getLogger(__name__)

LONGEST_SLEEP = 3600.0
AFTER_FAILURE = 30.0


class Clock(Protocol):
    """A clock that never steps back, in seconds."""

    @property
    def monotonic(self) -> Callable[[], float]:
        """Read it."""


class Rounds(Generic[P]):
    """Visits places that belong to keys; `visit` returns in how many seconds to come again, None for never."""

    def __init__(self, clock: Clock, visit: Callable[[P], Awaitable[float | None]], limit: int) -> None:
        """Start with nothing to visit."""
        self._now = clock.monotonic
        self._visit = visit
        self._limit = limit
        self._places: dict[Hashable, frozenset[P]] = {}
        self._due: dict[P, float] = {}
        """When each waiting place is visited; an entry of the heap that says otherwise is old."""
        self._heap: list[tuple[float, int, P]] = []
        self._number = 0
        self._running: dict[P, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def watch(self, key: Hashable, places: Iterable[P]) -> frozenset[P]:
        """Say which places a key has now; new ones are visited at once. Return those that are gone."""
        now, before = frozenset(places), self._places.get(key, frozenset())
        if now:
            self._places[key] = now
        else:
            self._places.pop(key, None)
        for place in now - before:
            self._schedule(place, 0.0)
        for place in before - now:
            self._leave(place)
        return before - now

    def again(self, place: P) -> None:
        """Visit a place that is watched now, unless it is about to be."""
        if place not in self._due and place not in self._running:
            self._schedule(place, 0.0)

    async def run(self) -> NoReturn:
        """Visit what is due, for ever; cancelled, it cancels its visits and waits for them."""
        try:
            while True:
                self._changed.clear()
                wait = self.start_due()
                # Not `wait_for`: on Python 3.11 it swallows a cancellation that comes together with the wake-up.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def start_due(self) -> float:
        """Start the visits that are due now; return in how many seconds the next one is."""
        while self._heap and len(self._running) < self._limit:
            due, _, place = self._heap[0]
            if self._due.get(place) != due:
                heapq.heappop(self._heap)
                continue
            if due > self._now():
                return due - self._now()
            heapq.heappop(self._heap)
            del self._due[place]
            self._running[place] = asyncio.create_task(self._one(place))
        return LONGEST_SLEEP

    async def settle(self) -> None:
        """Wait until no visit is running."""
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _one(self, place: P) -> None:
        """Visit one place; one that fails in an unforeseen way is visited again like any other."""
        wait: float | None = AFTER_FAILURE
        try:
            wait = await self._visit(place)
        except Exception:  # - what is odd about one pod must not end the visits of all others; it is logged
            logger.exception("A visit failed.")
        finally:
            still_here = self._running.get(place) is asyncio.current_task()
            if still_here:
                del self._running[place]
            if still_here and wait is not None:
                self._schedule(place, wait)
            self._changed.set()

    def _schedule(self, place: P, seconds: float) -> None:
        self._number += 1
        self._due[place] = self._now() + seconds
        heapq.heappush(self._heap, (self._due[place], self._number, place))
        self._changed.set()

    def _leave(self, place: P) -> None:
        self._due.pop(place, None)
        task = self._running.pop(place, None)
        if task:
            task.cancel()
