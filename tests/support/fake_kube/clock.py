"""A clock that only moves when a test says so."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

from inferfleet.kube.timing import Time

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """Seconds since the start of the test; sleepers wake when the clock is moved past their time."""

    def __init__(self, *, chance: float = 0.5, skew: float = 0.0) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self._chance = chance
        self._skew = skew
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds + self._skew)

    def step(self, seconds: float) -> None:
        """Step the wall clock and not the monotonic one."""
        self._skew += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until a test has moved the clock on."""
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in order and letting each run until it waits again."""
        end = self.seconds + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, waiter = heapq.heappop(self._sleepers)
            self.seconds = max(self.seconds, due)
            if not waiter.done():
                waiter.set_result(None)
            await settle()
        self.seconds = end

    @property
    def time(self) -> Time:
        """Hand the clock out as the product takes it."""
        return Time(self.monotonic, self.sleep, lambda: self._chance, self.now)

    @property
    def hurried(self) -> Time:
        """The same, but sleeping moves the clock at once: for one sleeper that nobody else waits beside."""
        return Time(self.monotonic, self._skip, lambda: self._chance, self.now)

    async def _skip(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


async def settle(rounds: int = 20) -> None:
    """Let everything run that does not wait for the network or a clock."""
    for _ in range(rounds):
        await asyncio.sleep(0)
