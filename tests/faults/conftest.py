"""Every test here runs in virtual time, with a cluster of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.in_virtual_time import pytest_asyncio_loop_factories, sim
from support.operator_process import Deployment, deployment
from support.simulation import Simulation

__all__ = ["fleet", "pytest_asyncio_loop_factories", "sim"]


@pytest.fixture
async def fleet(sim: Simulation, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Deployment]:
    """Prepare two replicas, `a` and `b`, that a kubelet starts again."""
    running = deployment(sim, monkeypatch)
    yield running
    await running.stop()
