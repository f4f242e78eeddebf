"""What the `conftest.py` of a room takes whose tests run in virtual time, each with a cluster of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from support.simulation import Simulation, simulation
from support.virtual_time import VirtualLoop

__all__ = ["pytest_asyncio_loop_factories", "sim"]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], VirtualLoop]]:
    """Give each test a loop whose time passes at once."""
    return {"virtual": VirtualLoop}


@pytest.fixture
async def sim() -> AsyncIterator[Simulation]:
    """Bring up a cluster without an operator."""
    async with simulation() as running:
        yield running
