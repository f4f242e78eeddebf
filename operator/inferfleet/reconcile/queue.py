"""A keyed work queue: each key is in one worker at most, and a wake-up is never lost.

The one rule: a key leaves the waiting set before its beat, so that a wake-up during the beat runs it once more.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

FIRST_RETRY, LONGEST_RETRY = 0.05, 60.0
HIGHEST_DOUBLING = 12


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A ModelDeployment by name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Write it as kubectl does."""
        return f"{self.namespace}/{self.name}"


class Queue:
    """Keys that wait for a worker, fair between namespaces; all methods belong to one event loop."""

    def __init__(self, monotonic: Callable[[], float], around: Callable[[float], float]) -> None:
        """Take a clock in seconds, and a function that varies a delay."""
        self._monotonic = monotonic
        self._around = around
        self._waiting: OrderedDict[str, OrderedDict[Key, float]] = OrderedDict()
        self._processing: set[Key] = set()
        self._later: list[tuple[float, Key]] = []
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()
        self.adds = 0
        self.retries = 0

    def __len__(self) -> int:
        """Count the keys that wait now."""
        return sum(len(keys) for keys in self._waiting.values())

    @property
    def running(self) -> int:
        """Count the keys that workers hold."""
        return len(self._processing)

    @property
    def oldest_age(self) -> float:
        """Seconds for which the key that waits longest has waited; 0 when none waits."""
        since = [moment for keys in self._waiting.values() for moment in keys.values()]
        return self._monotonic() - min(since) if since else 0.0

    def add(self, key: Key) -> None:
        """Wake a key now."""
        self.adds += 1
        self._waiting.setdefault(key.namespace, OrderedDict()).setdefault(key, self._monotonic())
        self._changed.set()

    def later(self, key: Key, seconds: float) -> None:
        """Wake a key after so many seconds, unless it is due earlier already."""
        due = self._monotonic() + max(0.0, seconds)
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._later, (due, key))
            self._changed.set()

    def retry(self, key: Key) -> float:
        """Wake a key after a failure, later each time; return the delay in seconds."""
        self.retries += 1
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay = self._around(min(FIRST_RETRY * (1 << min(count, HIGHEST_DOUBLING)), LONGEST_RETRY))
        self.later(key, delay)
        return delay

    def succeeded(self, key: Key) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    def forget(self, key: Key) -> None:
        """Forget all about a key that is gone."""
        self._failures.pop(key, None)
        self._due.pop(key, None)

    async def take(self) -> Key:
        """Wait for the next key and hold it until `done`; its timers are void, since it is looked at now."""
        while True:
            self._move_due()
            if (key := self._next()) is not None:
                self._processing.add(key)
                self._due.pop(key, None)
                return key
            self._changed.clear()
            await self._wait()

    def done(self, key: Key) -> None:
        """Give a key back after its beat."""
        self._processing.discard(key)
        self._changed.set()

    def _next(self) -> Key | None:
        """Take the first key of the first namespace that has a free one; that namespace goes to the end."""
        for namespace, keys in self._waiting.items():
            free = next((key for key in keys if key not in self._processing), None)
            if free is not None:
                del keys[free]
                self._waiting.move_to_end(namespace)
                if not keys:
                    del self._waiting[namespace]
                return free
        return None

    def _move_due(self) -> None:
        now = self._monotonic()
        while self._later and self._later[0][0] <= now:
            due, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    async def _wait(self) -> None:
        delay = max(0.0, self._later[0][0] - self._monotonic()) if self._later else None
        # Not `wait_for`: on Python 3.11 it swallows a cancellation that comes together with the wake-up.
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._changed.wait()
