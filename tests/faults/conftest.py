"""Every test here runs in virtual time, with a cluster of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from support.operator_process import Deployment, deployment
from support.simulation import Simulation, simulation
from support.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], VirtualLoop]]:
    return {"virtual": VirtualLoop}


@pytest.fixture
async def sim() -> AsyncIterator[Simulation]:
    """Bring up a cluster without an operator."""
    async with simulation() as running:
        yield running


@pytest.fixture
async def fleet(sim: Simulation, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Deployment]:
    """Prepare two replicas, `a` and `b`, that a kubelet starts again."""
    running = deployment(sim, monkeypatch)
    yield running
    await running.stop()
