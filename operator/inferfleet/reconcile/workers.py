"""Workers: take a key, run its beat, and see that it comes back.

The one rule: nothing escapes a beat. A failed key comes back with backoff, a good one at the resync at the latest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from math import inf
from typing import Literal, Protocol

from inferfleet.reconcile.queue import Key, Queue
from inferfleet.reconcile.verdict import verdict

logger = logging.getLogger(__name__)

RESYNC_SECONDS = 300.0
NEVER = inf
"""What a beat returns for a model that is gone."""
BEAT_SECONDS = 60.0
Result = Literal["done", "waits", "failed"]


class BeatMeter(Protocol):
    """Counts beats by how they ended."""

    def beat(self, result: Result, seconds: float) -> None:
        """Take note of one beat."""


class Workers:
    """A number of workers on one queue."""

    def __init__(
        self,
        queue: Queue,
        beat: Callable[[Key], Awaitable[float | None]],
        meter: BeatMeter,
        monotonic: Callable[[], float],
        around: Callable[[float], float],
    ) -> None:
        """Take the queue, what to do with a key, and a clock."""
        self._queue = queue
        self._beat = beat
        self._meter = meter
        self._monotonic = monotonic
        self._around = around
        self._stopping = asyncio.Event()

    async def run(self, count: int) -> None:
        """Work until stopped; ends when the beats that were running have ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._work())

    def stop(self) -> None:
        """Take no further key."""
        self._stopping.set()

    async def _work(self) -> None:
        while not self._stopping.is_set():
            key = await self._next()
            if key is None:
                return
            try:
                await self._one(key)
            finally:
                self._queue.done(key)

    async def _next(self) -> Key | None:
        """Wait for a key, or for the end."""
        taking = asyncio.ensure_future(self._queue.take())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((taking, stopping), return_when=asyncio.FIRST_COMPLETED)
            return taking.result() if taking.done() else None
        finally:
            taking.cancel()
            stopping.cancel()

    async def _one(self, key: Key) -> None:
        begun = self._monotonic()
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                again = await self._beat(key)
        except Exception as error:  # noqa: BLE001 - nothing escapes a beat: the key comes back and the log says why
            result = self._failed(key, error)
        else:
            result = "done"
            self._rest(key, again)
        self._meter.beat(result, self._monotonic() - begun)

    def _rest(self, key: Key, again: float | None) -> None:
        self._queue.succeeded(key)
        if again == NEVER:
            self._queue.forget(key)
        else:
            self._queue.later(key, min(again or RESYNC_SECONDS, self._around(RESYNC_SECONDS)))

    def _failed(self, key: Key, error: Exception) -> Result:
        found = verdict(error)
        if found.after is not None:
            self._queue.succeeded(key)
            self._queue.later(key, found.after)
            logger.info("%s waits: %s: %s", key, found.reason, found.message)
            return "waits"
        delay = self._queue.retry(key)
        unexpected = error if found.reason == "InternalError" else None
        logger.warning(
            "%s failed, again in %.1f s: %s: %s", key, delay, found.reason, found.message, exc_info=unexpected
        )
        return "failed"
