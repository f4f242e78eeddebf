"""Every test here runs in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from support.simulation import Simulation, simulation
from support.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], VirtualLoop]]:
    return {"virtual": VirtualLoop}


@pytest.fixture
async def sim() -> AsyncIterator[Simulation]:
    """Bring up a cluster without an operator."""
    async with simulation() as running:
        yield running
