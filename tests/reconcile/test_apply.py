"""What is written, in which order, and what is not written when something that it needs was refused.

The one rule: a whole operator writes, and its writes are read off the API server's log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from faults.points import NEXT_IMAGE
from inferfleet.api.base import PLURAL
from inferfleet.fleet.weights import RepositoryModel
from support.fake_kube import Logged
from support.makers import REPOSITORY
from support.simulation import Simulation, simulation

ORDER = (
    "networkpolicies", "services", "poddisruptionbudgets", "configmaps", "persistentvolumeclaims", "jobs",
    "controllerrevisions", "replicasets",
)  # fmt: skip
"""What guards pods comes before what makes them."""
BARE = REPOSITORY.model_copy(
    update={"models": (RepositoryModel(name="m", versions=(1,), files=("model.onnx",)),)},
)
"""A repository without a configuration, so that one is generated into a ConfigMap."""


@pytest.fixture
async def sim() -> AsyncIterator[Simulation]:
    async with simulation(found=BARE) as running:
        yield running


def children(sim: Simulation, begin: int = 0) -> list[Logged]:
    """List the writes of children that were carried out, in order."""
    return [entry for entry in sim.writes()[begin:] if entry.resource in ORDER and entry.status < 300]


async def test_what_guards_pods_is_written_before_what_makes_them(sim: Simulation) -> None:
    await sim.operator()
    sim.apply(replicas=2)
    await sim.settled()

    first = {entry.resource: at for at, entry in reversed([*enumerate(children(sim))])}
    before_pods = [first[plural] for plural in ORDER if plural not in ("jobs", "replicasets", "controllerrevisions")]
    assert set(first) == set(ORDER)
    assert first["networkpolicies"] == 0
    assert first["networkpolicies"] < first["persistentvolumeclaims"] < first["jobs"]
    assert max(before_pods) < first["replicasets"]
    assert first["jobs"] < first["controllerrevisions"] < first["configmaps"] < first["replicasets"]


async def test_status_is_the_last_that_a_beat_writes(sim: Simulation) -> None:
    await sim.operator()
    sim.apply(replicas=2)
    await sim.settled()

    seen = [
        entry for entry in sim.fake.log if entry.resource in (PLURAL, *ORDER) and entry.verb not in ("list", "watch")
    ]
    after = [later.verb for entry, later in pairwise(seen) if entry.resource == PLURAL and entry.writes]
    assert len(after) > 5
    assert set(after) == {"get"}


NEEDED_BY = {
    "networkpolicies": {"jobs", "controllerrevisions", "configmaps", "replicasets"},
    "services": {"jobs", "controllerrevisions", "configmaps", "replicasets"},
    "poddisruptionbudgets": set(),
    "configmaps": {"replicasets"},
    "persistentvolumeclaims": {"jobs", "controllerrevisions", "configmaps", "replicasets"},
    "jobs": {"controllerrevisions", "configmaps", "replicasets"},
    "controllerrevisions": {"configmaps", "replicasets"},
    "replicasets": set(),
}
"""What is not made of a new model while one kind is refused; a record needs what its download found."""


@pytest.mark.parametrize("plural", ORDER)
async def test_what_needs_a_refused_child_is_not_written_and_everything_else_is(sim: Simulation, plural: str) -> None:
    await sim.operator()
    with sim.fake.fault(verb="write", resource=plural, status=403) as fault:
        sim.apply(replicas=2)
        await sim.passes(40.0)

    carried_out = {entry.resource for entry in sim.writes() if entry.status < 300 and entry.resource in ORDER}
    assert fault.hits >= 2
    assert carried_out == set(ORDER) - {plural} - NEEDED_BY[plural]
    assert bool(sim.pods()) is (plural == "poddisruptionbudgets")
    assert sim.said("Ready") == (str(plural == "poddisruptionbudgets"), "Forbidden")


async def test_a_child_that_is_as_it_should_be_is_not_written_again_by_another_operator(sim: Simulation) -> None:
    run = await sim.operator()
    sim.apply(replicas=2)
    await sim.settled()
    await run.kill()
    before = len(sim.writes())

    await sim.operator()
    await sim.passes(20.0)

    assert sim.writes()[before:] == []


async def test_what_a_former_revision_needed_goes_after_its_pods(sim: Simulation) -> None:
    await sim.operator()
    sim.apply(replicas=2)
    await sim.settled()
    before = len(sim.writes())

    for number in range(2, 6):
        sim.apply(engine={"image": f"registry.test/triton:{number}"})
        await sim.settled()

    gone = [entry for entry in children(sim, before) if entry.verb == "delete"]
    sets = {entry.name: at for at, entry in enumerate(gone) if entry.resource == "replicasets"}
    maps = {entry.name: at for at, entry in enumerate(gone) if entry.resource == "configmaps"}
    assert len(sets) == 4
    assert sets.keys() == maps.keys()
    assert all(sets[name] < at for name, at in maps.items())


async def test_every_deletion_names_the_very_object(sim: Simulation) -> None:
    await sim.operator()
    sim.apply(replicas=3)
    await sim.settled()
    for change in (NEXT_IMAGE, {"replicas": 1}, {"suspend": True}):
        sim.apply(**change)
        await sim.until(sim.at_rest)
        await sim.quiet()

    gone = [entry for entry in sim.writes() if entry.verb == "delete"]
    assert gone
    assert [entry.name for entry in gone if "uid" not in (entry.body or {}).get("preconditions", {})] == []
