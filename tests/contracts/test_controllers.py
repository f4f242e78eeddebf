"""What a cluster's controllers do with ReplicaSets, Jobs, quotas and pods that never run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from inferfleet.api.base import Json
from inferfleet.kube.client import Scope
from inferfleet.kube.kinds import JOBS, PODS, REPLICA_SETS, RESOURCE_QUOTAS, Ref
from support.fake_kube.manifests import LABELS, job, pod, pod_template, replica_set
from support.fake_kube.under_test import Server, eventually

COST = "controller.kubernetes.io/pod-deletion-cost"


def nowhere() -> Json:
    """Make a template whose pods no node takes."""
    return pod_template(nodeSelector={"no-such": "node"})


async def pods(server: Server) -> list[Json]:
    return await server.client.list(PODS, Scope(server.namespace))


async def has_pods(server: Server, number: int) -> list[Json]:
    return await eventually(partial(pods, server), lambda found: len(found) == number)


async def status_of(server: Server, name: str = "one") -> Json:
    found = await server.client.get(REPLICA_SETS, server.namespace, name)
    return (found or {}).get("status") or {}


async def test_a_replica_set_makes_pods_that_it_controls(server: Server) -> None:
    made = await server.client.apply(replica_set("one", 2, server.namespace, nowhere()))

    found = await has_pods(server, 2)

    for each in found:
        reference = each["metadata"]["ownerReferences"][0]
        assert (reference["uid"], reference["controller"]) == (made["metadata"]["uid"], True)
        assert each["metadata"]["labels"] == LABELS
        assert each["metadata"]["name"].startswith("one-")
    status = await eventually(partial(status_of, server), lambda found: found.get("replicas") == 2)
    assert status["observedGeneration"] == 1
    assert status.get("readyReplicas", 0) == 0


async def test_of_pods_that_are_alike_the_cheapest_goes_first(server: Server) -> None:
    await server.client.apply(replica_set("one", 3, server.namespace, nowhere()))
    found = await has_pods(server, 3)
    for index, each in enumerate(found):
        patch = {"metadata": {"uid": each["metadata"]["uid"], "annotations": {COST: str(10 if index != 1 else -10)}}}
        await server.client.merge_patch(Ref(PODS, server.namespace, each["metadata"]["name"]), patch)

    await server.client.apply(replica_set("one", 2, server.namespace, nowhere()))

    left = await has_pods(server, 2)
    assert {each["metadata"]["uid"] for each in left} == {found[index]["metadata"]["uid"] for index in (0, 2)}


async def test_a_pod_that_is_deleted_by_hand_is_replaced(server: Server) -> None:
    await server.client.apply(replica_set("one", 1, server.namespace, nowhere()))
    (first,) = await has_pods(server, 1)

    await server.client.delete(Ref(PODS, server.namespace, first["metadata"]["name"]), first["metadata"]["uid"])

    await eventually(partial(pods, server), is_another_than(first))


def is_another_than(first: Json) -> Callable[[list[Json]], bool]:
    return lambda found: len(found) == 1 and found[0]["metadata"]["uid"] != first["metadata"]["uid"]


async def test_a_pod_that_loses_its_label_is_let_go_and_replaced(server: Server) -> None:
    await server.client.apply(replica_set("one", 1, server.namespace, nowhere()))
    (first,) = await has_pods(server, 1)
    ref = Ref(PODS, server.namespace, first["metadata"]["name"])

    await server.client.merge_patch(ref, {"metadata": {"labels": {"app": "another"}}})

    await has_pods(server, 2)
    released = await eventually(
        lambda: server.client.get(PODS, server.namespace, ref.name),
        lambda found: found and "ownerReferences" not in found["metadata"],
    )
    assert released is not None


async def test_a_matching_pod_without_a_controller_is_adopted(server: Server) -> None:
    orphan = await server.client.create(pod("orphan", server.namespace))
    made = await server.client.apply(replica_set("one", 1, server.namespace, nowhere()))

    adopted = await eventually(
        lambda: server.client.get(PODS, server.namespace, "orphan"),
        lambda found: found and found["metadata"].get("ownerReferences"),
    )

    assert adopted is not None
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert [each["metadata"]["uid"] for each in await pods(server)] == [orphan["metadata"]["uid"]]


async def test_a_quota_that_is_full_is_said_on_the_replica_set(server: Server) -> None:
    meta = {"name": "few", "namespace": server.namespace}
    hard = {"spec": {"hard": {"pods": "1"}}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, **hard}
    await server.client.create(quota)
    await eventually(partial(used, server), lambda found: found == {"pods": "0"})

    await server.client.apply(replica_set("one", 2, server.namespace, nowhere()))

    status = await eventually(partial(status_of, server), lambda found: found.get("conditions"))
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("ReplicaFailure", "True", "FailedCreate")
    assert "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1" in condition["message"]
    await eventually(partial(used, server), lambda found: found == {"pods": "1"})


async def used(server: Server) -> Json:
    found = await server.client.get(RESOURCE_QUOTAS, server.namespace, "few")
    return ((found or {}).get("status") or {}).get("used") or {}


@pytest.mark.parametrize(("phase", "condition"), [("Succeeded", "Complete"), ("Failed", "Failed")])
async def test_a_job_tells_how_its_only_pod_ended(server: Server, phase: str, condition: str) -> None:
    manifest = job("one", server.namespace, backoffLimit=0)
    manifest["spec"]["template"]["spec"]["nodeSelector"] = {"no-such": "node"}
    made = await server.client.create(manifest)
    (only,) = await has_pods(server, 1)

    await server.client.patch_status(Ref(PODS, server.namespace, only["metadata"]["name"]), {"phase": phase})

    ended = await eventually(
        lambda: server.client.get(JOBS, server.namespace, "one"), lambda found: found and condition in conditions(found)
    )
    assert only["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "one"
    assert only["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert ended is not None
    assert (ended["status"].get("succeeded", 0), ended["status"].get("failed", 0)) == (
        (1, 0) if phase == "Succeeded" else (0, 1)
    )
    assert len(await pods(server)) == 1


async def test_a_job_whose_pod_is_cut_off_says_that_it_will_fail_and_has_not_failed_yet(server: Server) -> None:
    manifest = job("one", server.namespace, backoffLimit=0)
    manifest["spec"]["template"]["spec"]["nodeName"] = "no-such-node"
    await server.client.create(manifest)
    (only,) = await has_pods(server, 1)

    await server.client.delete(Ref(PODS, server.namespace, only["metadata"]["name"]), only["metadata"]["uid"])

    lost = await eventually(
        lambda: server.client.get(JOBS, server.namespace, "one"), lambda found: found and conditions(found)
    )
    assert lost is not None
    assert conditions(lost) == {"FailureTarget"}
    assert len(await pods(server)) == 1


def conditions(obj: Json) -> set[str]:
    found = (obj.get("status") or {}).get("conditions") or []
    return {one["type"] for one in found if one["status"] == "True"}


async def test_a_suspended_job_makes_no_pod(server: Server) -> None:
    await server.client.create(job("one", server.namespace, suspend=True))

    await eventually(
        lambda: server.client.get(JOBS, server.namespace, "one"), lambda found: found and found.get("status")
    )

    assert await pods(server) == []


async def test_pods_of_a_deleted_job_follow_in_the_background(server: Server) -> None:
    manifest = job("one", server.namespace)
    manifest["spec"]["template"]["spec"]["nodeSelector"] = {"no-such": "node"}
    made = await server.client.create(manifest)
    await has_pods(server, 1)

    await server.client.delete(Ref(JOBS, server.namespace, "one"), made["metadata"]["uid"])

    assert await has_pods(server, 0) == []
    assert await server.client.get(JOBS, server.namespace, "one") is None
