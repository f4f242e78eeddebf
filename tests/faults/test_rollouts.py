"""What goes wrong in the middle of a rollout costs no replica that serves, and holds nothing up for ever."""

from __future__ import annotations

from typing import Any

import pytest

from inferfleet.fleet import names
from support.fake_kube import Fate
from support.fake_kube.storage import key_of
from support.makers import CONFIG
from support.pods import SERVES, role_of
from support.simulation import Lowest, Simulation

NEXT = {"source": "hf://org/model", "revision": "v2"}
HANGS = Fate(starts_after=0.5, ready_after=None)
NO_IMAGE = Fate(waiting="ImagePullBackOff")


def sizes(sim: Simulation) -> list[int]:
    """List what the ReplicaSets ask for, the oldest first."""
    found = sorted(sim.children()["replicasets"], key=lambda each: each["metadata"]["creationTimestamp"])
    return [each["spec"]["replicas"] for each in found]


def revision_of(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["labels"].get(names.REVISION, ""))


def poke(sim: Simulation, pod: dict[str, Any]) -> None:
    """Let the kubelet look at a pod again."""
    sim.fake.controllers.kubelets.dirty[key_of(pod)] = None
    sim.fake.run_controllers()
    sim.kubelets.changed.set()


async def test_a_refused_edit_in_a_rollout_moves_nothing(sim: Simulation) -> None:
    await sim.operator()
    sim.apply(replicas=2)
    await sim.settled()
    sim.apply(model=NEXT)
    await sim.until(lambda: len(sizes(sim)) == 2 and all(sizes(sim)) and sim.ready() >= 2)

    sim.apply(gpu={"products": ["NOPE"]})
    await sim.until(lambda: sim.said("Accepted") == ("False", "InvalidSpec"))
    at_refusal = sizes(sim)
    await sim.passes(120)

    assert sizes(sim) == at_refusal
    assert sum(sizes(sim)) <= 3
    sim.apply(gpu={"products": ["H100-80GB"]})
    await sim.settled()
    assert sizes(sim)[-1] == 2


@pytest.mark.parametrize("paused", [False, True], ids=["rolling", "paused"])
async def test_a_second_of_not_ready_costs_the_last_good_replica_nothing(sim: Simulation, *, paused: bool) -> None:
    await sim.operator()
    sim.apply(replicas=1)
    await sim.settled()
    [old] = sim.pods()
    shaken: list[bool] = []

    def fate(pod: dict[str, Any]) -> Fate | None:
        if role_of(pod) != names.ROLE_SERVER:
            return None
        return HANGS if revision_of(pod) != revision_of(old) or shaken else SERVES

    sim.fake.controllers.kubelets.fates.insert(0, fate)
    sim.apply(model=NEXT)
    await sim.until(lambda: len(sim.pods()) == 2)
    if paused:
        sim.apply(rollout={"paused": True})
        await sim.until(lambda: sim.said("Ready") == ("Unknown", "Paused"))

    shaken.append(True)
    poke(sim, old)
    await sim.until(lambda: sim.ready() == 0)
    await sim.passes(1)
    shaken.clear()
    poke(sim, old)
    await sim.passes(600)

    assert sim.ready() == 1
    assert [pod["metadata"]["uid"] for pod in sim.pods() if revision_of(pod) == revision_of(old)] == [
        old["metadata"]["uid"]
    ]


async def test_a_good_replica_that_is_gone_for_minutes_gives_way(sim: Simulation) -> None:
    await sim.operator()
    sim.apply(replicas=1)
    await sim.settled()
    [old] = sim.pods()
    broken = {"metadata": {"labels": {names.REVISION: revision_of(old)}}}

    def fate(pod: dict[str, Any]) -> Fate | None:
        return HANGS if role_of(pod) == names.ROLE_SERVER and revision_of(pod) == revision_of(broken) else None

    sim.fake.controllers.kubelets.fates.insert(0, fate)
    poke(sim, old)
    await sim.until(lambda: sim.ready() == 0)
    for node in ("n1", "n2"):
        sim.fake.patch("nodes", "", node, {"status": {"allocatable": {"nvidia.com/gpu": "0"}}}, "status")
    sim.apply(model=NEXT)
    await sim.passes(120)
    assert sizes(sim)[0] == 1

    await sim.passes(400)

    assert sizes(sim) == [1] or sizes(sim)[0] == 0
    assert len({revision_of(pod) for pod in sim.pods()} - {revision_of(old)}) == 1


async def test_a_full_quota_is_no_free_gpu(sim: Simulation) -> None:
    hard = {"requests.nvidia.com/gpu": "2"}
    meta = {"name": "gpus", "namespace": "default"}
    sim.fake.add({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}})
    await sim.operator()
    sim.apply(replicas=2)
    await sim.settled()
    before = {revision_of(pod) for pod in sim.pods()}
    lowest = Lowest(sim).start()

    sim.apply(model=NEXT)
    await sim.settled()

    assert sizes(sim)[-1] == 2
    assert len(sim.pods()) == 2
    assert {revision_of(pod) for pod in sim.pods()}.isdisjoint(before)
    assert lowest.fewest == 1


async def test_an_image_that_the_chart_had_wrong_is_taken_up_when_it_is_mended(sim: Simulation) -> None:
    wrong = CONFIG.model_copy(update={"images": CONFIG.images.model_copy(update={"triton": "registry.test/wrong:1"})})

    def fate(pod: dict[str, Any]) -> Fate | None:
        containers = pod["spec"]["containers"]
        return NO_IMAGE if any(each["image"] == "registry.test/wrong:1" for each in containers) else None

    sim.fake.controllers.kubelets.fates.insert(0, fate)
    sim.config = wrong
    first = await sim.operator()
    sim.apply(replicas=2)
    await sim.until(lambda: sim.said("Ready") == ("False", "ImagePullFailed"))
    await first.kill()

    sim.config = CONFIG
    await sim.operator()
    await sim.settled()

    assert sim.ready() == 2
    assert {pod["spec"]["containers"][0]["image"] for pod in sim.pods()} == {CONFIG.images.triton}
