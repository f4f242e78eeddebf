"""Rows 29 to 34: somebody else's hands on what is ours, on what we belong to, and on what we stand on.

The one rule: what is ours is made whole again within seconds, what is another's is left alone, and both are said.
"""

from __future__ import annotations

from typing import Any

import pytest

from faults.points import picture, unlike
from inferfleet.api.base import API_VERSION, KIND, PLURAL, Json
from inferfleet.fleet import names
from inferfleet.fleet.weights import RepositoryModel
from inferfleet.render.record import NOTE
from support.fake_kube.storage import key_of
from support.makers import REPOSITORY
from support.simulation import Simulation, simulation

BARE = REPOSITORY.model_copy(
    update={"models": (RepositoryModel(name="m", versions=(1,), files=("model.onnx",)),)},
)
"""A repository without a configuration, so that one is generated into a ConfigMap."""
KINDS = (
    "replicasets", "controllerrevisions", "services", "configmaps", "jobs", "persistentvolumeclaims",
    "poddisruptionbudgets", "networkpolicies",
)  # fmt: skip
SECONDS = 5.0
ALLOWED = {
    "replicasets": ("/pods",),
    "controllerrevisions": ("/controllerrevisions/m-", "/replicasets/m-", "/said/UpdateAvailable"),
    "jobs": ("/jobs/m-",),
}
"""What may differ after a child was made again: the pods are new; a record is read off its ReplicaSet, as the API
server shows it; weights are looked at again at the commit that was recorded."""


async def serving(sim: Simulation, **spec: Any) -> Json:
    """Let a model serve, with an operator that goes on; show it."""
    await sim.operator()
    sim.apply(**({"replicas": 2} | spec))
    await sim.settled()
    return picture(sim)


def child(sim: Simulation, plural: str) -> Json:
    """Take the first child of a kind."""
    return sim.children()[plural][0]


async def changed(sim: Simulation, before: Json, allowed: tuple[str, ...] = (), within: float = SECONDS) -> list[str]:
    """Wait, and list what is not as it was, then and once all is quiet."""
    await sim.passes(within)
    found = unlike(picture(sim), before)
    await sim.quiet()
    return [path for path in (*found, *unlike(picture(sim), before)) if not path.startswith(allowed)]


@pytest.mark.parametrize("plural", KINDS)
async def test_row_29_a_child_that_is_deleted_by_hand_is_there_again_in_five_seconds(plural: str) -> None:
    async with simulation(found=BARE) as sim:
        before = await serving(sim)
        pods = {pod["metadata"]["uid"] for pod in sim.pods()}

        sim.fake.delete(plural, *key_of(child(sim, plural)))

        assert await changed(sim, before, ALLOWED.get(plural, ())) == []
        assert (pods == {pod["metadata"]["uid"] for pod in sim.pods()}) is (plural != "replicasets")


EDITS: dict[str, tuple[str, Json]] = {
    "scaled up": ("replicasets", {"spec": {"replicas": 7}}),
    "scaled to nothing": ("replicasets", {"spec": {"replicas": 0}}),
    "another grace": ("replicasets", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}),
    "another server": ("replicasets", {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}),
    "another selector": ("services", {"spec": {"selector": {"app": "another"}}}),
    "no port": ("services", {"spec": {"ports": [{"port": 1}]}}),
    "no budget": ("poddisruptionbudgets", {"spec": {"maxUnavailable": "100%"}}),
    "an open door": ("networkpolicies", {"spec": {"ingress": [{}]}}),
    "a way out": ("networkpolicies", {"spec": {"egress": [{}]}}),
    "another revision": ("services", {"metadata": {"labels": {names.MODEL: "another"}}}),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_row_29_a_child_that_is_edited_by_hand_is_as_it_was_in_five_seconds(sim: Simulation, edit: str) -> None:
    before = await serving(sim)
    plural, patch = EDITS[edit]

    sim.fake.patch(plural, *key_of(child(sim, plural)), patch)

    assert await changed(sim, before) == []


@pytest.mark.parametrize("plural", KINDS)
async def test_row_30_a_child_that_lost_its_owner_is_taken_in_again(plural: str) -> None:
    async with simulation(found=BARE) as sim:
        before = await serving(sim, cache={"whenDeleted": "Delete"})

        sim.fake.patch(plural, *key_of(child(sim, plural)), {"metadata": {"ownerReferences": None}})

        assert await changed(sim, before) == []


@pytest.mark.parametrize("plural", KINDS)
async def test_row_30_a_child_that_lost_its_labels_is_found_again(plural: str) -> None:
    async with simulation(found=BARE) as sim:
        before = await serving(sim, cache={"whenDeleted": "Delete"})
        uid = child(sim, plural)["metadata"]["uid"]

        sim.fake.patch(plural, *key_of(child(sim, plural)), {"metadata": {"labels": None}})

        assert await changed(sim, before) == []
        assert uid in [each["metadata"]["uid"] for each in sim.children()[plural]]


@pytest.mark.parametrize("plural", ["services", "poddisruptionbudgets", "networkpolicies"])
async def test_row_30_an_object_of_another_owner_is_left_alone_and_named(sim: Simulation, plural: str) -> None:
    kinds = {
        "services": ("v1", "Service", {"ports": [{"port": 80}]}),
        "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget", {"maxUnavailable": 1}),
        "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy", {"podSelector": {}}),
    }
    api_version, kind, spec = kinds[plural]
    owner = sim.fake.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    meta = {
        "name": "m",
        "labels": {names.MANAGED_BY: names.OPERATOR, names.MODEL: "m"},
        "ownerReferences": [{**reference, "controller": True}],
    }
    theirs = sim.fake.add({"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec})
    await sim.operator()
    sim.apply()

    await sim.passes(120)

    assert sim.said("Ready") == (str(plural == "poddisruptionbudgets"), "NameTaken")
    assert f"{kind} m exists and is not ours" in sim.condition("Ready")["message"]
    assert sim.fake.get(plural, "default", "m") == theirs
    assert len(sim.writes()) < 30


async def test_row_31_deleted_while_nobody_runs_leaves_nothing_but_the_claim_and_makes_nothing(sim: Simulation) -> None:
    run = await sim.operator()
    sim.apply(replicas=2)
    await sim.settled()
    await run.kill()

    sim.fake.delete(PLURAL, "default", "m")
    before = len(sim.writes())
    await sim.operator()
    await sim.passes(400)

    assert {(entry.verb, entry.resource) for entry in sim.writes()[before:]} == {("delete", "networkpolicies")}
    left = {plural: [each["metadata"]["name"] for each in found] for plural, found in sim.children().items() if found}
    assert left == {"persistentvolumeclaims": ["m.weights"]}
    assert sim.pods() == []


async def test_row_31_a_claim_goes_with_its_model_where_the_user_said_so(sim: Simulation) -> None:
    await serving(sim, cache={"whenDeleted": "Delete"})

    sim.fake.delete(PLURAL, "default", "m")
    await sim.passes(10)

    assert not any(sim.children().values())


async def test_row_31_a_model_that_is_gone_is_asked_for_no_more(sim: Simulation) -> None:
    await serving(sim)
    sim.fake.delete(PLURAL, "default", "m")
    await sim.passes(10)
    before = len(sim.fake.log)

    await sim.passes(3600)

    assert [entry for entry in sim.fake.log[before:] if entry.verb == "get"] == []


async def test_row_32_made_again_under_the_same_name_waits_for_the_old_children_and_adopts_none(
    sim: Simulation,
) -> None:
    await serving(sim)
    sim.fake.controllers.collector.enabled = False
    old = {each["metadata"]["uid"] for found in sim.children().values() for each in found}
    unowned = ("persistentvolumeclaims", "networkpolicies")
    kept = {each["metadata"]["uid"] for plural in unowned for each in sim.children()[plural]}

    sim.fake.delete(PLURAL, "default", "m")
    sim.apply(replicas=2)
    before = len(sim.writes())
    await sim.passes(60)

    assert sim.said("Ready") == ("False", "WaitingForCollection")
    touched = [entry for entry in sim.writes()[before:] if entry.changed and entry.resource in KINDS]
    assert touched == []
    assert {each["metadata"]["uid"] for found in sim.children().values() for each in found} == old

    sim.fake.enable("collector")
    await sim.settled()

    new = {each["metadata"]["uid"] for found in sim.children().values() for each in found}
    assert new & old == kept


async def test_row_33_restored_from_a_backup_with_its_old_status_it_is_reconciled_as_usual(sim: Simulation) -> None:
    before = await serving(sim)
    backup = sim.model()
    assert backup is not None
    sim.fake.delete(PLURAL, "default", "m")
    await sim.passes(10)

    kept = {key: backup["metadata"][key] for key in ("name", "namespace")}
    notes = {"inferfleet.dev/abort": "3f2a9c1b", "kopf.zalando.org/last-handled-configuration": '{"spec": {}}'}
    sim.fake.add({**backup, "metadata": kept | {"annotations": notes}})
    await sim.until(lambda: sim.said("Ready")[0] == "False", SECONDS)
    await sim.settled()

    differences = [each for each in unlike(picture(sim), before) if "applied" not in each]
    assert differences == []
    model = sim.model()
    assert model is not None
    assert model["metadata"]["annotations"] == notes
    assert "finalizers" not in model["metadata"]


async def test_row_33_replaced_as_kubectl_does_nothing_happens(sim: Simulation) -> None:
    await serving(sim)
    before = len(sim.writes())
    model = sim.model()
    assert model is not None

    written = {"apiVersion": API_VERSION, "kind": KIND, "spec": model["spec"]}
    version = model["metadata"]["resourceVersion"]
    meta = {"name": "m", "namespace": "default", "resourceVersion": version, "annotations": {"team": "a"}}
    sim.fake.patch(PLURAL, "default", "m", {**written, "metadata": meta})
    await sim.passes(60)

    assert sim.writes()[before:] == []
    assert sim.ready() == 2


async def test_row_34_a_namespace_that_is_going_away_gets_no_storm_and_others_do_not_wait(sim: Simulation) -> None:
    sim.fake.add_namespace("going")
    sim.fake.controllers.collector.enabled = False
    sim.fake.delete("namespaces", "", "going")
    body = {"apiVersion": API_VERSION, "kind": KIND, "spec": {"model": {"source": "hf://org/model"}}}
    sim.fake.api.storage.put(
        sim.fake.api.resource(PLURAL), _stored({**body, "metadata": {"name": "late", "namespace": "going"}})
    )
    await sim.operator()
    sim.apply()

    took = await sim.until(sim.serves)
    await sim.passes(600)

    assert took < 10
    asked = [entry for entry in sim.writes() if entry.namespace == "going" and entry.resource != "modeldeployments"]
    assert {entry.status for entry in asked} == {403}
    assert 0 < len(asked) <= 600 / 30 + 3


def _stored(obj: Json) -> Json:
    meta = {"uid": "uid-late", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1}
    return {**obj, "metadata": {**obj["metadata"], **meta}}


async def test_row_29_a_record_that_cannot_be_made_again_stops_everything_and_is_said(sim: Simulation) -> None:
    before = await serving(sim)
    name = child(sim, "replicasets")["metadata"]["name"]

    sim.fake.patch("replicasets", "default", name, {"metadata": {"annotations": {NOTE: None}}})
    sim.fake.delete("controllerrevisions", "default", name)
    await sim.passes(SECONDS)

    assert sim.said("Ready") == ("True", "RecordLost")
    assert f"ReplicaSet {name} has lost its ControllerRevision" in sim.condition("Ready")["message"]
    assert sim.ready() == 2
    left = [found for found in unlike(picture(sim), before) if not found.startswith("/said/")]
    assert [found.split("/")[1] for found in left] == ["controllerrevisions", "replicasets"]
