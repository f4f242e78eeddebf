"""What only the fake does: nodes, kubelets and levers, which no contract can hold against a real server."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from inferfleet.api.base import Json
from inferfleet.kube.client import Client
from inferfleet.kube.connection import load_connection
from inferfleet.kube.kinds import NODES, PODS, REPLICA_SETS, Ref
from support.fake_kube import FakeKube, Fate, ManualClock
from support.fake_kube.clients import open_client
from support.fake_kube.manifests import claim, job, pod_template, replica_set


def gpu_template(gpus: int = 1, **spec: object) -> Json:
    template = pod_template(**spec)
    template["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    return template


def phases(fake: FakeKube) -> list[str]:
    return [pod["status"]["phase"] for pod in fake.all("pods")]


def ready(fake: FakeKube) -> int:
    found = fake.get("replicasets", "default", "one")
    assert found is not None
    return int(found["status"].get("readyReplicas", 0))


async def test_pods_are_bound_run_and_become_ready_as_time_passes(fake: FakeKube) -> None:
    fake.enable()
    fake.add_node("n1")
    fake.controllers.kubelets.fates.append(lambda _pod: Fate(starts_after=5, ready_after=10))
    fake.add(replica_set("one", 2, template=gpu_template()))

    await fake.advance(4)
    assert phases(fake) == ["Pending", "Pending"]
    await fake.advance(2)
    assert phases(fake) == ["Running", "Running"]
    assert ready(fake) == 0
    await fake.advance(10)
    assert ready(fake) == 2
    assert len({pod["status"]["podIP"] for pod in fake.all("pods")}) == 2


async def test_a_pod_that_fits_nowhere_says_why_and_runs_when_it_does(fake: FakeKube) -> None:
    fake.enable()
    fake.add_node("small", gpus=1)
    fake.add_node("tainted", taints=[{"key": "a", "effect": "NoSchedule"}])
    fake.add(replica_set("one", 1, template=gpu_template(4)))
    (waiting,) = fake.all("pods")

    fake.add_node("large", gpus=4)

    (condition,) = waiting["status"]["conditions"]
    assert (condition["reason"], condition["status"]) == ("Unschedulable", "False")
    assert "0/2 nodes are available" in condition["message"]
    assert "1 Insufficient nvidia.com/gpu" in condition["message"]
    assert "1 node(s) had untolerated taint(s)" in condition["message"]
    assert fake.all("pods")[0]["spec"]["nodeName"] == "large"


async def test_gpus_are_free_again_only_when_the_pod_is_gone(fake: FakeKube, clock: ManualClock) -> None:
    fake.enable()
    fake.add_node("n1", gpus=1)
    fake.controllers.kubelets.fates.append(lambda _pod: Fate(drain_seconds=20))
    fake.add(replica_set("one", 1, template=gpu_template()))
    await fake.advance(2)
    (first,) = fake.all("pods")
    fake.delete("pods", "default", first["metadata"]["name"])

    await fake.advance(19)
    during = {pod["metadata"]["name"]: pod["spec"].get("nodeName") for pod in fake.all("pods")}
    await fake.advance(3)

    assert sorted(map(str, during.values())) == ["None", "n1"]
    assert ready(fake) == 1
    assert len(fake.all("pods")) == 1


async def test_affinity_and_selectors_choose_nodes(fake: FakeKube) -> None:
    fake.enable("replica_sets", "scheduler")
    for name, product in (("a", "H100"), ("b", "A100")):
        fake.add_node(name, labels={"product": product})
    term = {"matchExpressions": [{"key": "product", "operator": "In", "values": ["A100"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}

    fake.add(replica_set("one", 2, template=gpu_template(affinity=affinity)))

    assert {pod["spec"]["nodeName"] for pod in fake.all("pods")} == {"b"}


async def test_a_scale_down_takes_what_is_not_ready_then_what_is_cheap_then_the_newest(fake: FakeKube) -> None:
    fake.enable()
    fake.add_node("n1")
    fake.add(replica_set("one", 1, template=gpu_template()))
    await fake.advance(10)
    fake.patch("replicasets", "default", "one", {"spec": {"replicas": 4}})
    await fake.advance(10)
    oldest, *others = sorted(fake.all("pods"), key=lambda pod: int(pod["metadata"]["resourceVersion"]))
    cost = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-1"}}}
    fake.patch("pods", "default", oldest["metadata"]["name"], cost)
    broken = others[0]["metadata"]["name"]
    down = {"status": {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "x"}]}}
    fake.controllers.kubelets.enabled = False
    fake.patch("pods", "default", broken, down, "status")
    left = []
    for replicas in (3, 2):
        fake.patch("replicasets", "default", "one", {"spec": {"replicas": replicas}})
        left.append({pod["metadata"]["name"] for pod in fake.all("pods") if "deletionTimestamp" not in pod["metadata"]})

    assert broken not in left[0]
    assert oldest["metadata"]["name"] in left[0]
    assert oldest["metadata"]["name"] not in left[1]


async def test_a_container_waits_crashes_or_was_killed_as_a_test_says(fake: FakeKube) -> None:
    fates = {
        "pull": Fate(waiting="ImagePullBackOff", message="no such image"),
        "crash": Fate(waiting="CrashLoopBackOff", exit_code=137, reason="OOMKilled", restarts=3),
    }
    fake.enable()
    fake.add_node("n1")
    fake.controllers.kubelets.fates.append(lambda pod: fates.get(pod["metadata"]["ownerReferences"][0]["name"]))
    for name in fates:
        template = gpu_template()
        template["metadata"] = {"labels": {"app": name}}
        body = replica_set(name, 1, template=template)
        fake.add({**body, "spec": {**body["spec"], "selector": {"matchLabels": {"app": name}}}})
    await fake.advance(5)

    states = {pod["metadata"]["labels"]["app"]: pod["status"]["containerStatuses"][0] for pod in fake.all("pods")}
    assert states["pull"]["state"] == {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    assert states["crash"]["restartCount"] == 3
    assert states["crash"]["lastState"]["terminated"]["reason"] == "OOMKilled"


async def test_a_jobs_pod_ends_with_its_message(fake: FakeKube) -> None:
    fake.enable()
    fake.add_node("n1")
    fake.controllers.kubelets.fates.append(
        lambda _pod: Fate(ends_after=3, ready_after=None, message='{"commit":"abc"}')
    )
    fake.add(job("one", backoffLimit=0))
    await fake.advance(4)

    (pod,) = fake.all("pods")
    found = fake.get("jobs", "default", "one")
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"] == '{"commit":"abc"}'
    assert found is not None
    assert found["status"]["succeeded"] == 1


async def test_a_node_that_is_cut_off_ends_nothing_until_it_is_healed(fake: FakeKube) -> None:
    fake.enable()
    fake.add_node("n1")
    fake.add(replica_set("one", 1, template=gpu_template()))
    await fake.advance(2)
    fake.controllers.kubelets.cut_off.add("n1")
    fake.delete("pods", "default", fake.all("pods")[0]["metadata"]["name"])
    await fake.advance(60)
    during = len(fake.all("pods"))
    fake.controllers.kubelets.heal("n1")
    await fake.advance(5)

    assert during == 2
    assert len(fake.all("pods")) == 1


async def test_a_claim_is_bound_and_may_grow(fake: FakeKube) -> None:
    fake.enable()
    fake.add(claim("one"))
    fake.patch("persistentvolumeclaims", "default", "one", {"spec": {"resources": {"requests": {"storage": "2Gi"}}}})

    found = fake.get("persistentvolumeclaims", "default", "one")
    assert found is not None
    assert found["status"] == {"phase": "Bound", "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"]}


async def test_the_log_knows_what_was_asked_and_whether_it_changed_anything(fake: FakeKube, client: Client) -> None:
    first = await client.apply(replica_set("one", 1))
    await client.apply(replica_set("one", 1))
    await client.patch_status(Ref(REPLICA_SETS, "default", "one"), {"replicas": 1})
    await client.list(PODS)
    await client.delete(Ref(REPLICA_SETS, "default", "one"), first["metadata"]["uid"])

    shown = [(entry.verb, entry.subresource, entry.status, entry.changed) for entry in fake.log]
    assert shown == [
        ("patch", "", 201, True),
        ("patch", "", 200, False),
        ("patch", "status", 200, True),
        ("list", "", 200, False),
        ("delete", "", 200, True),
    ]
    assert len(fake.writes()) == 4
    assert fake.log[0].body["spec"]["replicas"] == 1


@pytest.mark.slow
async def test_the_fake_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "support.fake_kube", str(path), stdout=asyncio.subprocess.PIPE, env=environment
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        async with open_client(await load_connection(str(path))) as client:
            await client.apply(replica_set("one", 1))
            nodes = await client.list(NODES)
    finally:
        process.terminate()

    assert await process.wait() == 0
    assert [node["metadata"]["name"] for node in nodes] == ["node-1", "node-2"]


async def test_a_hundred_replica_sets_run_side_by_side(fake: FakeKube) -> None:
    fake.enable()
    for index in range(15):
        fake.add_node(f"n{index}")
    for index in range(100):
        template = gpu_template()
        template["metadata"] = {"labels": {"app": f"m{index}"}}
        body = replica_set(f"m{index}", 1, template=template)
        fake.add({**body, "spec": {**body["spec"], "selector": {"matchLabels": {"app": f"m{index}"}}}})
    await fake.advance(3)

    assert all(found["status"]["readyReplicas"] == 1 for found in fake.all("replicasets"))
