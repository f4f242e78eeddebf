"""The policies of a model that is deleted: they guard its pods to the last, and go then.

The one rule: at no instant does a pod live without the policies that it started with.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from inferfleet.api.base import PLURAL, Json
from inferfleet.fleet import names
from support.fake_kube import Fate
from support.fake_kube.storage import Change
from support.pods import SERVES, role_of
from support.simulation import Simulation

DRAIN_SECONDS = 500.0


@dataclass
class Watch:
    """Notes every instant at which a pod of ours had fewer than three policies."""

    sim: Simulation
    unguarded: list[float] = field(default_factory=list)

    def start(self) -> Watch:
        self.sim.fake.api.storage.listen(self._seen)
        return self

    def _seen(self, change: Change) -> None:
        if change.resource.plural in ("pods", "networkpolicies") and self._ours() and len(policies(self.sim)) < 3:
            self.unguarded.append(self.sim.clock.monotonic())

    def _ours(self) -> list[Json]:
        return self.sim.fake.all("pods", labels=f"{names.MANAGED_BY}={names.OPERATOR}")


def policies(sim: Simulation) -> list[Json]:
    return sim.children()["networkpolicies"]


def drains(pod: Json) -> Fate | None:
    return replace(SERVES, drain_seconds=DRAIN_SECONDS) if role_of(pod) == names.ROLE_SERVER else None


async def serving(sim: Simulation) -> Watch:
    sim.fake.controllers.kubelets.fates.insert(0, drains)
    watch = Watch(sim).start()
    sim.apply(replicas=2)
    await sim.settled()
    return watch


async def test_pods_that_drain_keep_their_policies_which_go_with_the_last_of_them(sim: Simulation) -> None:
    await sim.operator()
    watch = await serving(sim)

    sim.fake.delete(PLURAL, "default", "m")
    await sim.passes(DRAIN_SECONDS - 10.0)
    assert len(sim.pods()) == 2
    assert len(policies(sim)) == 3
    await sim.until(lambda: not policies(sim), 30.0)

    assert sim.pods() == []
    assert watch.unguarded == []


async def test_an_operator_that_starts_later_removes_what_a_deleted_model_has_left(sim: Simulation) -> None:
    run = await sim.operator()
    await serving(sim)
    await run.kill()
    sim.fake.delete(PLURAL, "default", "m")
    await sim.passes(DRAIN_SECONDS + 60.0)
    assert (len(sim.pods()), len(policies(sim))) == (0, 3)

    await sim.operator()
    await sim.until(lambda: not policies(sim), 30.0)

    before = len(sim.fake.log)
    await sim.passes(600.0)
    assert [entry for entry in sim.fake.log[before:] if entry.verb in ("get", "delete")] == []


async def test_a_download_is_guarded_to_its_end_too(sim: Simulation) -> None:
    sim.fake.controllers.kubelets.fates.insert(
        0, lambda pod: Fate(ready_after=None, drain_seconds=20.0) if role_of(pod) == names.ROLE_DOWNLOAD else None
    )
    await sim.operator()
    watch = Watch(sim).start()
    sim.apply()
    await sim.until(lambda: sim.fake.all("pods"))
    await sim.passes(2.0)

    sim.fake.delete(PLURAL, "default", "m")
    await sim.passes(15.0)
    assert len(sim.fake.all("pods")) == 1
    await sim.until(lambda: not policies(sim), 60.0)

    assert watch.unguarded == []


async def test_a_model_that_is_made_again_keeps_the_policies_that_are_there(sim: Simulation) -> None:
    await sim.operator()
    watch = await serving(sim)
    before = {policy["metadata"]["uid"] for policy in policies(sim)}

    sim.fake.delete(PLURAL, "default", "m")
    await sim.passes(5.0)
    sim.apply(replicas=1)
    await sim.settled(within=DRAIN_SECONDS + 120.0)

    assert {policy["metadata"]["uid"] for policy in policies(sim)} == before
    assert watch.unguarded == []


@pytest.mark.parametrize("applied", [{}, {names.APPLIED: "0123"}], ids=["never applied", "owned by another"])
async def test_a_policy_that_only_bears_our_labels_is_left_alone(sim: Simulation, applied: dict[str, str]) -> None:
    owner = sim.fake.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    marks = {names.MANAGED_BY: names.OPERATOR, names.MODEL: "nobody"}
    meta: Json = {"name": "theirs", "labels": marks, "annotations": applied}
    meta |= {"ownerReferences": [{**reference, "controller": True}]} if applied else {}
    theirs = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta}
    sim.fake.add({**theirs, "spec": {"podSelector": {}}})

    await sim.operator()
    await sim.passes(60.0)

    assert sim.fake.get("networkpolicies", "default", "theirs") is not None
