"""A fake API server and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from inferfleet.kube.client import Client
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to, open_client


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
