"""The parts of an operator put together: nothing is done before everything is known, and an end is an end."""

from __future__ import annotations

import asyncio

import pytest

from inferfleet.api.base import PLURAL
from support.simulation import Simulation, simulation

FOLLOWED = (
    "networkpolicies", "services", "poddisruptionbudgets", "persistentvolumeclaims", "jobs", "controllerrevisions",
    "replicasets", "configmaps", "pods", "nodes", "resourcequotas",
)  # fmt: skip


@pytest.mark.parametrize("plural", FOLLOWED)
async def test_no_model_is_looked_at_before_every_cache_is_full(plural: str) -> None:
    async with simulation() as sim:
        sim.apply()
        with sim.fake.fault(verb="list", resource=plural, status=503):
            run = await sim.operator()
            await sim.passes(60.0)

            assert not run.operator.synced
            assert [entry for entry in sim.fake.log if entry.resource == PLURAL] == []
            assert sim.writes() == []

        await sim.settled()
        assert run.operator.synced


async def test_an_operator_that_is_stopped_before_it_knows_anything_ends() -> None:
    async with simulation() as sim:
        with sim.fake.fault(verb="list", hang=True):
            run = await sim.operator()
            await sim.passes(5.0)

            run.operator.stop()
            await asyncio.wait([run.task], timeout=1.0)

            assert run.task.done()
            assert run.task.exception() is None


async def test_an_operator_that_is_stopped_ends_with_all_its_parts() -> None:
    async with simulation() as sim:
        run = await sim.operator()
        sim.apply()
        await sim.settled()

        await run.stop()
        before = len(sim.fake.log)
        await sim.passes(400.0)

        assert sim.fake.log[before:] == []


@pytest.mark.parametrize("part", ["_recorder", "_prober", "_reader"])
async def test_a_part_that_breaks_takes_the_operator_with_it(
    sim: Simulation, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise RuntimeError(part)

    run = await sim.operator()
    monkeypatch.setattr(getattr(run.operator, part), "run", broken)
    await asyncio.wait([run.task], timeout=5.0)

    assert run.task.done()
    assert run.task.exception() is not None


async def test_beats_of_several_models_overlap(sim: Simulation) -> None:
    await sim.operator()
    with sim.fake.fault(verb="get", resource=PLURAL, name="slow", hang=True):
        for name in ("slow", "m1", "m2"):
            sim.apply(name)

        await sim.settled("m1", "m2", within=20.0)

        assert not sim.serves("slow")
