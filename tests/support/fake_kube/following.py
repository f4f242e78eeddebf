"""An informer at work on the fake, and what it told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from inferfleet.api.base import Json
from inferfleet.kube.client import Client
from inferfleet.kube.informer import Informer, Watched
from inferfleet.kube.kinds import CONFIG_MAPS
from inferfleet.kube.store import Store
from inferfleet.kube.timing import Time
from support.fake_kube.clients import Meter, until
from support.fake_kube.cluster import FakeKube

MAPS = Watched(CONFIG_MAPS)


@dataclass(slots=True)
class Following:
    """An informer at work, and what it told."""

    fake: FakeKube
    store: Store[str]
    informer: Informer[str]
    meter: Meter
    told: list[tuple[str | None, str | None]]

    def equals_the_api(self, plural: str = "configmaps") -> bool:
        return sorted(self.store) == sorted(map(shown, self.fake.all(plural)))

    async def is_watching(self, times: int = 1) -> None:
        """Wait until a watch is open, for the n-th time."""
        await until(lambda: self.watches() >= times and bool(self.fake.watches))

    def watches(self) -> int:
        return sum(entry.verb == "watch" for entry in self.fake.log)

    def lists(self) -> int:
        return sum(entry.verb == "list" for entry in self.fake.log)


def shown(obj: Json) -> str:
    return f"{obj['metadata']['name']}={(obj.get('data') or obj.get('spec') or {}).get('v')}"


@asynccontextmanager
async def following(fake: FakeKube, client: Client, time: Time, watched: Watched = MAPS) -> AsyncIterator[Following]:
    """Run an informer until the end of the block."""
    told: list[tuple[str | None, str | None]] = []
    store: Store[str] = Store(shown, lambda old, new: told.append((old, new)))
    meter = Meter()
    informer = Informer(client, watched, store, time, meter)
    async with running(informer.run()):
        yield Following(fake, store, informer, meter, told)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run something endless until the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
