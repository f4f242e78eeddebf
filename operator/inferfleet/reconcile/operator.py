"""One leader's work put together: caches, informers, probes, queue and workers.

The one rule: no beat runs before every cache has synced.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from inferfleet.api.config import FleetConfig
from inferfleet.kube.client import Client
from inferfleet.kube.events import EventRecorder
from inferfleet.kube.informer import InformerMeter
from inferfleet.kube.timing import Time
from inferfleet.reconcile.beat import Beat
from inferfleet.reconcile.caches import Caches
from inferfleet.reconcile.observe import Sources
from inferfleet.reconcile.queue import Key, Queue
from inferfleet.reconcile.workers import BeatMeter, Workers
from inferfleet.serving.prober import Prober
from inferfleet.serving.progress import ProgressReader

GATHER_SECONDS = 1.0
"""For so long changes of GPUs are gathered, before the models that wait for one look at them."""


class Meter(InformerMeter, BeatMeter, Protocol):
    """Counts what an operator does."""


class Runs(Protocol):
    """A part that runs until it is cancelled."""

    async def run(self) -> None:
        """Run."""


async def _until_cancelled(part: Runs) -> None:
    await part.run()


class Operator:
    """Everything that runs while this process leads."""

    def __init__(self, client: Client, config: FleetConfig, identity: str, time: Time, meter: Meter) -> None:
        """Put the parts together; nothing runs yet."""
        self.queue = Queue(time.monotonic, time.around)
        self.synced = False
        self._prober = Prober(time, self.queue.add)
        self._reader = ProgressReader(time, self.queue.add)
        self._caches = Caches(
            config, self.queue.add, lambda key: self.queue.later(key, GATHER_SECONDS), self._reader.watch
        )
        self._recorder = EventRecorder(client, identity, time)
        sources = Sources(self._caches, self._prober, self._reader, config)
        self._beat = Beat(client, sources, self._recorder, lambda: time.now().timestamp())
        self._workers = Workers(self.queue, self._beat.run, meter, time.monotonic, time.around)
        self._informers = self._caches.informers(client, time, meter)
        self._stopping = asyncio.Event()

    def told(self, key: Key, version: str) -> None:
        """Take in that a model is at a version: if a beat of ours made it so, there is nothing new in it."""
        if self._beat.written.get(key) != version:
            self.queue.add(key)

    @property
    def cached(self) -> dict[str, int]:
        """Count what each cache holds."""
        return self._caches.sizes()

    @property
    def dropped_events(self) -> int:
        """Count the events that were not recorded."""
        return self._recorder.dropped

    async def run(self, workers: int) -> None:
        """Work until stopped."""
        async with asyncio.TaskGroup() as group:
            parts: tuple[Runs, ...] = (*self._informers, self._recorder, self._prober, self._reader)
            background = [group.create_task(_until_cancelled(part)) for part in parts]
            await self._until_synced()
            if not self._stopping.is_set():
                await self._workers.run(workers)
            for task in background:
                task.cancel()

    async def _until_synced(self) -> None:
        """Wait for every cache, or for the end."""
        syncing = asyncio.ensure_future(self._all_synced())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((syncing, stopping), return_when=asyncio.FIRST_COMPLETED)
            self.synced = syncing.done()
        finally:
            syncing.cancel()
            stopping.cancel()

    async def _all_synced(self) -> None:
        for informer in self._informers:
            await informer.synced.wait()

    def stop(self) -> None:
        """Take no further key; `run` ends when the running beats have ended."""
        self._stopping.set()
        self._workers.stop()
