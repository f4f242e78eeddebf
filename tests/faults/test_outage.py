"""Rows 13, 14, 23 and 27: an API server that is away for ten minutes, forgets our kind, or refuses who we are.

The one rule: two whole processes go through it, restarts are counted, and afterwards everything is as it should be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from faults.points import NEXT_IMAGE
from inferfleet.api.base import PLURAL, Json
from inferfleet.kube.connection import Connection
from support.fake_kube import Logged
from support.fake_kube.storage import clone
from support.operator_process import Deployment, Replica
from support.simulation import Simulation, definition

OUTAGE_SECONDS = 600.0
CONVERGED_SECONDS = 60.0


@asynccontextmanager
async def failing(sim: Simulation, status: int, verb: str = "*") -> AsyncIterator[None]:
    """Let every request fail."""
    with sim.fake.fault(verb=verb, status=status):
        sim.fake.drop_watches()
        yield


@asynccontextmanager
async def gone(sim: Simulation) -> AsyncIterator[None]:
    """Refuse every connection."""
    port = sim.fake._server.port
    await sim.fake.stop()
    yield
    await sim.fake.start(port)


OUTAGES: dict[str, Callable[[Simulation], AbstractAsyncContextManager[None]]] = {
    "500": lambda sim: failing(sim, 500),
    "503": lambda sim: failing(sim, 503),
    "503 of writes": lambda sim: failing(sim, 503, "write"),
}


async def outlast(
    sim: Simulation, fleet: Deployment, outage: AbstractAsyncContextManager[None]
) -> tuple[list[Logged], float]:
    """Let users go on while the API server does not; return what was asked meanwhile, and how long it took to catch up.

    What they do is written past the fault, as somebody does whom it does not concern.
    """
    fleet.start()
    sim.apply("stays", gpu={"count": 0})
    sim.apply("changes", gpu={"count": 0})
    sim.apply("goes", gpu={"count": 0})
    await sim.settled("stays", "changes", "goes")
    begin = len(sim.fake.log)
    async with outage:
        await sim.passes(30.0)
        sim.apply("changes", **NEXT_IMAGE)
        sim.apply("new", gpu={"count": 0})
        sim.fake.delete(PLURAL, "default", "goes")
        await sim.passes(OUTAGE_SECONDS - 30.0)
        asked = sim.fake.log[begin:]
        assert fleet.leaders == []
    took = await sim.until(lambda: all(sim.serves(name) for name in ("stays", "changes", "new")))
    return asked, took


def caught_up(sim: Simulation, fleet: Deployment) -> None:
    """See that one leads, that it was restarted once, and that nothing of what was deleted came back."""
    assert len(fleet.leaders) == 1
    assert [(one.status, one.has_led) for one in fleet.ended] == [(1, True)]
    assert [plural for plural, found in sim.children("goes").items() if found] == ["persistentvolumeclaims"]


@pytest.mark.parametrize("outage", OUTAGES)
async def test_row_13_an_api_server_that_fails_for_ten_minutes_costs_one_restart_and_no_storm(
    sim: Simulation, fleet: Deployment, outage: str
) -> None:
    asked, took = await outlast(sim, fleet, OUTAGES[outage](sim))

    assert took <= CONVERGED_SECONDS
    caught_up(sim, fleet)
    writes = [entry for entry in asked if entry.writes and entry.resource != "leases"]
    assert len(writes) <= 20
    assert len(asked) <= 2.5 * OUTAGE_SECONDS


async def test_row_14_an_api_server_that_is_gone_for_ten_minutes_costs_one_restart(
    sim: Simulation, fleet: Deployment
) -> None:
    _, took = await outlast(sim, fleet, gone(sim))

    assert took <= CONVERGED_SECONDS
    caught_up(sim, fleet)


async def test_row_14_processes_that_start_while_the_api_server_is_gone_wait_for_it(
    sim: Simulation, fleet: Deployment
) -> None:
    sim.apply(replicas=2)
    async with gone(sim):
        fleet.start()
        await sim.passes(OUTAGE_SECONDS)
        assert all(one.process._live() and one.process._ready() for one in fleet.replicas.values())
    took = await sim.until(sim.serves)

    assert took <= CONVERGED_SECONDS
    assert fleet.ended == []


async def test_row_23_a_kind_that_was_deleted_and_made_again_is_served_again_and_nothing_old_is_remembered(
    sim: Simulation, fleet: Deployment
) -> None:
    sim.fake.add(kind())
    fleet.start()
    sim.apply("old", gpu={"count": 0})
    sim.apply(replicas=2)
    await sim.settled("old", "m")
    leader, standby = await fleet.led()

    sim.fake.delete("customresourcedefinitions", "", kind()["metadata"]["name"])
    handed_over = await sim.until(lambda: standby.has_led)
    await sim.passes(OUTAGE_SECONDS)
    ended = list(fleet.ended)
    sim.fake.add(kind())
    sim.apply(replicas=1)
    took = await sim.until(sim.serves)
    await sim.passes(30.0)

    assert handed_over <= 5.0
    assert [(one.name, one.status) for one in ended] == [(leader.name, 1), (standby.name, 1)]
    assert took <= CONVERGED_SECONDS
    assert fleet.ended == ended
    operator = fleet.leaders[0].process.operator
    assert operator is not None
    assert {pod.key.name for pod in operator._caches.pods} == {"m"}
    assert not any(found for plural, found in sim.children("old").items() if plural != "persistentvolumeclaims")


def kind() -> Json:
    """Write the CRD as somebody applies it."""
    return clone(definition())


async def test_row_27_a_refusal_of_every_token_for_five_seconds_costs_no_restart_and_no_work(
    sim: Simulation, fleet: Deployment
) -> None:
    leader, _ = await fleet.serve()
    tokens, sim.fake.tokens = sim.fake.tokens, {}

    sim.fake.drop_watches()
    sim.apply(replicas=3)
    await sim.passes(5.0)
    refused, sim.fake.tokens = sim.fake.refused, tokens
    took = await sim.until(sim.serves)

    assert refused >= 5
    assert took <= 20.0
    assert (fleet.leaders, fleet.ended) == ([leader], [])


async def test_row_27_tokens_that_are_rotated_each_minute_cost_no_restart_and_no_work(
    sim: Simulation, fleet: Deployment
) -> None:
    current = {"a": "a-0", "b": "b-0"}

    def configure(replica: Replica) -> None:
        async def credential(_refused: bool) -> str:
            return f"Bearer {current[replica.name]}"

        replica.connection = Connection(sim.fake.url, None, credential)

    fleet.configure = configure
    sim.fake.tokens = {token: name for name, token in current.items()}
    fleet.start()
    for number in range(1, 6):
        current |= {name: f"{name}-{number}" for name in current}
        sim.fake.tokens = {token: name for name, token in current.items()}
        sim.apply(replicas=number)
        assert await sim.until(sim.serves) <= 20.0
        await sim.passes(60.0)

    assert fleet.ended == []
    assert len(fleet.leaders) == 1
