"""One child that the API server refuses, for ever: the rest of its model goes on, and the user reads what to do.

The one rule: what serves is healed, routed, scaled and upgraded whatever else is refused, and no pod starts unguarded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from faults.points import NEXT_IMAGE
from inferfleet.api.base import PLURAL, Json
from inferfleet.fleet import names
from support.fake_kube import ApiError
from support.fake_kube.errors import forbidden
from support.fake_kube.storage import key_of
from support.pods import foreign_pod
from support.simulation import Lowest, Simulation

NO_GROWTH = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


@contextmanager
def refusing(sim: Simulation, plural: str, error: ApiError, *, grows: bool = False) -> Iterator[None]:
    """Refuse every write of a kind that changes its spec, or only those that raise its replicas."""

    def admit(resource: object, before: Json | None, after: Json) -> None:
        if resource is not sim.fake.api.resource(plural) or (before and before.get("spec") == after.get("spec")):
            return
        if not grows or after["spec"]["replicas"] > (before or {"spec": {"replicas": 0}})["spec"]["replicas"]:
            raise error

    sim.fake.api.admission.append(admit)
    yield
    sim.fake.api.admission.remove(admit)


def no_growth() -> ApiError:
    """Say what the API server says of a claim whose class cannot grow."""
    return forbidden("persistentvolumeclaims", "m.weights", NO_GROWTH)


def claim(sim: Simulation) -> Json:
    (found,) = sim.children()["persistentvolumeclaims"]
    return found


def room(sim: Simulation) -> str:
    return str(claim(sim)["spec"]["resources"]["requests"]["storage"])


async def serving(sim: Simulation, **spec: Any) -> None:
    await sim.operator()
    sim.apply(**spec)
    await sim.settled()


def with_size(sim: Simulation, size: str) -> None:
    """Change the chart's size of claims."""
    cache = sim.config.cache.model_copy(update={"size": size})
    sim.config = sim.config.model_copy(update={"cache": cache})


async def test_a_claim_that_cannot_grow_is_explained_and_keeps_nothing_from_going_on(sim: Simulation) -> None:
    await serving(sim, replicas=1, cache={"type": "PVC", "size": "200Gi"})
    with refusing(sim, "persistentvolumeclaims", no_growth()):
        sim.apply(cache={"size": "300Gi"})
        await sim.until(lambda: sim.said("Ready") == ("True", "ClaimCannotGrow"), 10.0)
        message = sim.condition("Ready")["message"]

        sim.apply(replicas=3)
        await sim.until(lambda: sim.ready() == 3, 30.0)
        sim.apply(**NEXT_IMAGE)
        await sim.until(lambda: all(image_of(pod) == NEXT_IMAGE["engine"]["image"] for pod in sim.pods()), 120.0)
        await sim.until(lambda: sim.ready() == 3, 30.0)
        sim.apply(replicas=1)
        await sim.until(lambda: len(sim.pods()) == 1, 60.0)

    assert "Claim m.weights has 200Gi and cannot grow to 300Gi" in message
    assert NO_GROWTH in message
    assert "Set spec.cache.size back to 200Gi, or use a StorageClass with allowVolumeExpansion." in message
    assert sim.said("Reconciling") == ("True", "ClaimCannotGrow")
    sim.apply(cache={"size": "200Gi"})
    await sim.settled()


def image_of(pod: Json) -> str:
    return str(next(each["image"] for each in pod["spec"]["containers"] if each["name"] == "server"))


async def test_a_claim_that_is_there_keeps_its_size_when_only_the_charts_size_changes(sim: Simulation) -> None:
    run = await sim.operator()
    sim.apply()
    await sim.settled()
    await run.kill()
    sim.fake.delete(PLURAL, "default", "m")
    await sim.passes(10.0)
    before = claim(sim)

    with_size(sim, "400Gi")
    await sim.operator()
    with refusing(sim, "persistentvolumeclaims", no_growth()):
        sim.apply()
        await sim.settled()

    assert claim(sim)["metadata"]["uid"] == before["metadata"]["uid"]
    assert room(sim) == "200Gi"


async def test_a_claim_of_the_charts_size_grows_to_the_size_that_its_user_sets(sim: Simulation) -> None:
    await serving(sim)

    sim.apply(cache={"type": "PVC", "size": "300Gi"})
    await sim.settled()

    assert room(sim) == "300Gi"


@pytest.mark.parametrize("replicas", [1, 20])
@pytest.mark.parametrize("theirs", [{"minAvailable": 0}, {"minAvailable": "50%"}])
async def test_row_29_a_budget_that_was_given_another_measure_has_ours_again(
    sim: Simulation, replicas: int, theirs: Json
) -> None:
    await serving(sim, replicas=replicas, gpu={"count": 0})
    (budget,) = sim.children()["poddisruptionbudgets"]
    before = len(sim.writes())

    sim.fake.patch("poddisruptionbudgets", *key_of(budget), {"spec": {"maxUnavailable": None, **theirs}})
    await sim.passes(5.0)

    (after,) = sim.children()["poddisruptionbudgets"]
    assert after["spec"] == budget["spec"]
    assert after["spec"]["maxUnavailable"] == (0 if replicas == 1 else "10%")
    assert len(sim.writes()[before:]) <= 2
    assert sim.said("Ready") == ("True", "Serving")


@pytest.mark.parametrize("plural", ["services", "poddisruptionbudgets", "persistentvolumeclaims", "networkpolicies"])
async def test_row_17_a_model_whose_child_is_refused_is_healed_and_loses_no_replica(
    sim: Simulation, plural: str
) -> None:
    await serving(sim, replicas=3)
    sim.fake.delete(plural, *key_of(sim.children()[plural][0]))
    with refusing(sim, plural, forbidden(plural, "m", "no more of these")):
        await sim.until(lambda: sim.said("Ready") == ("True", "ChildRefused"), 10.0)
        (first, *_) = sim.pods()
        sim.fake.patch("pods", *key_of(first), {"metadata": {"labels": {names.TRAFFIC: "held"}}})
        await sim.until(lambda: sim.ready() == 3, 90.0)
        sim.apply(replicas=2)
        await sim.until(lambda: len(sim.pods()) == 2, 90.0)

    assert sim.ready() == 2


async def test_no_pod_starts_while_its_policies_are_refused(sim: Simulation) -> None:
    await serving(sim, replicas=2)
    for policy in sim.children()["networkpolicies"]:
        sim.fake.delete("networkpolicies", *key_of(policy))
    with refusing(sim, "networkpolicies", forbidden("networkpolicies", "m", "no more of these")):
        sim.apply(replicas=4, **NEXT_IMAGE)
        await sim.passes(120.0)
        assert len(sim.children()["replicasets"]) == 1
        assert sim.ready() == len(sim.pods()) == 2

    await sim.settled()
    assert sim.ready() == 4


@pytest.mark.parametrize("others", [0, 14], ids=["surge", "replace"])
async def test_nothing_shrinks_while_what_should_take_its_place_may_not_grow(sim: Simulation, others: int) -> None:
    await serving(sim, replicas=2)
    for number in range(others):
        sim.fake.add(foreign_pod(f"other-{number}", "n1" if number < 7 else "n2"))
    lowest = Lowest(sim).start()
    with refusing(sim, "replicasets", forbidden("replicasets", "m", "no more of these"), grows=True):
        sim.apply(**NEXT_IMAGE)
        await sim.passes(300.0)
        assert sim.ready() == 2

    await sim.settled()
    assert lowest.fewest >= (2 if others == 0 else 1)
