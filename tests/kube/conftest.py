"""A fake API server and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from inferfleet.kube.client import Client
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to, open_client
from support.fake_kube.election import Election
from support.fake_kube.following import Following, following
from support.fake_kube.manifests import config_map


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def fake(clock: ManualClock) -> AsyncIterator[FakeKube]:
    """Start a fake whose time stands still."""
    async with FakeKube(clock) as running:
        yield running


@pytest.fixture
async def client(fake: FakeKube, clock: ManualClock) -> AsyncIterator[Client]:
    """Ask the fake; whoever sleeps does not wait, but moves the clock."""
    async with open_client(connection_to(fake.url), clock.hurried) as opened:
        yield opened


@pytest.fixture
async def follow(fake: FakeKube, client: Client, clock: ManualClock) -> AsyncIterator[Following]:
    """Follow the config maps, of which there are two at the start."""
    for name in ("a", "b"):
        fake.add(config_map(name, {"v": "1"}))
    async with following(fake, client, clock.hurried) as found:
        await found.informer.synced.wait()
        await found.is_watching()
        yield found


@pytest.fixture
async def election(clock: ManualClock) -> AsyncIterator[Election]:
    found = Election(FakeKube(clock), clock)
    yield found
    for replica in found.replicas:
        replica.kill()
    await asyncio.gather(*(one.task for one in found.replicas if one.task), return_exceptions=True)
