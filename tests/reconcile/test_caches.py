"""Whom a change wakes, and whose a child is."""

from __future__ import annotations

from typing import Any

import pytest

from inferfleet.api.base import Json
from inferfleet.fleet import names
from inferfleet.kube.kinds import CHILDREN, CONFIG_MAPS, JOBS, PODS, RESOURCE_QUOTAS, SERVICES
from inferfleet.kube.timing import Time
from inferfleet.reconcile.caches import Caches
from inferfleet.reconcile.queue import Key
from support.fake_kube import ManualClock
from support.fake_kube.clients import Meter
from support.makers import CONFIG

A, B = Key("ns", "a"), Key("ns", "b")


class Woken:
    """Notes who was woken, now and soon."""

    def __init__(self) -> None:
        self.now: list[Key] = []
        self.soon: list[Key] = []

    def take(self) -> tuple[set[Key], set[Key]]:
        found = set(self.now), set(self.soon)
        assert len(found[0]) == len(self.now), "a change woke somebody twice"
        self.now.clear()
        self.soon.clear()
        return found


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def caches(woken: Woken) -> Caches:
    return Caches(CONFIG, woken.now.append, woken.soon.append)


def child(name: str, model: str = "a", version: int = 1, owner: str = "", **meta: Any) -> Json:
    references = [{"uid": owner, "controller": True, "kind": "ModelDeployment", "name": model}] if owner else []
    labels = {names.MODEL: model, names.MANAGED_BY: names.OPERATOR} if model else {}
    kept = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": kept | {"labels": labels, "ownerReferences": references} | meta}


def pod(name: str, model: str, node: str, version: int = 1) -> Json:
    raw = child(name, model, version, owner="uid-set")
    raw["metadata"]["labels"] |= {names.ROLE: names.ROLE_SERVER, names.REVISION: "r"}
    raw["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    return {**raw, "spec": {"nodeName": node, "containers": []}, "status": {"phase": "Running"}}


def node(name: str, version: int = 1, *, cordoned: bool = False) -> Json:
    meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"unschedulable": cordoned}, "status": {"allocatable": {"nvidia.com/gpu": "8"}}}


def theirs(name: str, version: int) -> Json:
    """Write somebody else's pod with a GPU."""
    holds = {"resources": {"requests": {"nvidia.com/gpu": "1"}}}
    meta = {"name": name, "namespace": "other", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"nodeName": "n1", "containers": [holds]}, "status": {"phase": "Running"}}


def test_a_child_wakes_its_model_when_it_comes_changes_and_goes(caches: Caches, woken: Woken) -> None:
    store = caches.children[SERVICES]
    for raw, learn in ((child("s"), store.learn), (child("s", version=2), store.learn), (child("s"), store.learn)):
        learn(raw)

    assert woken.now == [A, A]

    store.forget(child("s", version=3))

    assert woken.now == [A, A, A]


def test_a_child_that_goes_to_another_model_wakes_both(caches: Caches, woken: Woken) -> None:
    caches.children[SERVICES].learn(child("s"))
    woken.take()

    caches.children[SERVICES].learn(child("s", "b", version=2))

    assert woken.take()[0] == {A, B}


def test_a_child_that_loses_its_label_wakes_the_model_that_it_had_and_is_forgotten(
    caches: Caches, woken: Woken
) -> None:
    caches.children[SERVICES].learn(child("s"))
    woken.take()

    caches.children[SERVICES].learn(child("s", "", version=2))

    assert woken.take()[0] == {A}
    assert len(caches.children[SERVICES]) == 0


def test_an_object_without_our_label_is_never_taken_in(caches: Caches, woken: Woken) -> None:
    for kind in CHILDREN:
        caches.children[kind].learn(child("s", ""))

    assert [len(store) for store in caches.children.values()] == [0] * len(CHILDREN)
    assert woken.take() == (set(), set())


@pytest.mark.parametrize("role", [names.ROLE_SERVER, names.ROLE_DOWNLOAD])
def test_a_pod_that_names_no_model_is_never_taken_in(caches: Caches, woken: Woken, role: str) -> None:
    raw = pod("p", "", "n1")
    raw["metadata"]["labels"] |= {names.MANAGED_BY: names.OPERATOR, names.ROLE: role}

    caches.pods.learn(raw)
    caches.pods.forget(raw)

    assert len(caches.pods) == 0
    assert woken.take() == (set(), set())


def download(name: str, job: str, version: int = 1) -> Json:
    raw = pod(name, "a", "n1", version)
    raw["metadata"]["labels"][names.ROLE] = names.ROLE_DOWNLOAD
    raw["metadata"]["ownerReferences"] = [{"uid": f"uid-{job}", "controller": True, "kind": "Job", "name": job}]
    raw["status"]["podIP"] = "10.0.0.7"
    return raw


Told = list[tuple[Key, list[tuple[str, str]]]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def reading(woken: Woken, told: Told) -> Caches:
    """Three Jobs with our labels, each with a pod that runs: the model's own, another controller's, and nobody's."""
    caches = Caches(CONFIG, woken.now.append, woken.soon.append, lambda key, found: told.append((key, found)))
    since = "2026-01-01T00:00:00Z"
    theirs = child("theirs", owner="uid-cron", creationTimestamp=since)
    theirs["metadata"]["ownerReferences"][0]["kind"] = "CronJob"
    jobs = (child("mine", owner="uid-model", creationTimestamp=since), theirs, child("no", creationTimestamp=since))
    for job in jobs:
        caches.children[JOBS].learn(job)
        caches.pods.learn(download(f"pod-of-{job['metadata']['name']}", job["metadata"]["name"]))
    return caches


MINE = [("uid-pod-of-mine", "10.0.0.7")]


def test_only_downloads_of_a_model_are_read_and_at_once(reading: Caches, told: Told) -> None:
    assert told[-1] == (A, MINE)

    reading.exists(A, "uid-model")

    assert told[-1] == (A, MINE)


@pytest.mark.parametrize("uid", ["", "uid-model-made-again"])
def test_no_download_is_read_of_a_model_that_is_not_there_or_is_another(reading: Caches, told: Told, uid: str) -> None:
    reading.exists(A, uid)
    assert told[-1] == (A, [])

    reading.pods.learn(download("pod-of-mine", "mine", version=2))

    assert told[-1] == (A, [])


def test_nothing_is_remembered_of_a_model_that_is_gone_with_its_downloads(reading: Caches) -> None:
    reading.exists(A, "")
    assert list(reading._models) == [A]
    for name in ("mine", "theirs", "no"):
        reading.children[JOBS].forget(child(name))

    reading.exists(A, "")

    assert reading._models == {}


def test_owned_are_the_children_of_this_very_object_and_those_of_nobody(caches: Caches) -> None:
    store = caches.children[CONFIG_MAPS]
    store.learn(child("mine", owner="uid-a"))
    store.learn(child("nobodys"))
    store.learn(child("of-my-earlier-self", owner="uid-a-before"))
    store.learn(child("of-another", "b", owner="uid-b"))

    found = caches.owned(CONFIG_MAPS, A, "uid-a")

    assert sorted(each.name for each in found) == ["mine", "nobodys"]


def test_a_node_wakes_the_models_that_run_on_it_now_and_those_that_do_not_serve_soon(
    caches: Caches, woken: Woken
) -> None:
    caches.pods.learn(pod("p", "a", "n1"))
    caches.concern(B, settled=False, waits=False)
    caches.concern(Key("ns", "c"), settled=True, waits=False)
    woken.take()

    caches.nodes.learn(node("n1"))
    first = woken.take()
    caches.nodes.learn(node("n1", 2))
    unchanged = woken.take()
    caches.nodes.learn(node("n2"))
    other = woken.take()
    caches.nodes.learn(node("n1", 3, cordoned=True))

    assert (first, unchanged, other) == (({A}, {B}), (set(), set()), (set(), {B}))
    assert woken.take() == ({A}, {B})


def test_a_gpu_that_comes_free_wakes_who_waits_for_one_and_nobody_else(caches: Caches, woken: Woken) -> None:
    caches.concern(A, settled=False, waits=True)
    caches.concern(B, settled=False, waits=False)

    caches.gpu_pods.learn(theirs("one", 5))
    taken = woken.take()
    caches.gpu_pods.forget(theirs("one", 6))
    freed = woken.take()
    caches.concern(A, settled=True, waits=False)
    caches.gpu_pods.learn(theirs("two", 7))

    assert taken == freed == (set(), {A})
    assert woken.take() == (set(), set())


def test_what_is_known_of_the_fleet_is_new_after_each_change(caches: Caches) -> None:
    assert caches.fleet().nodes == ()

    caches.nodes.learn(node("n1"))
    first = caches.fleet()
    caches.nodes.learn(node("n1", 2, cordoned=True))

    assert [each.cordoned for each in first.nodes] == [False]
    assert [each.cordoned for each in caches.fleet().nodes] == [True]

    caches.gpu_pods.learn(theirs("one", 5))

    assert [each.node for each in caches.fleet().pods] == ["n1"]


@pytest.mark.parametrize("spaces", [(), ("one", "two")])
@pytest.mark.parametrize("foreign", [True, False])
def test_every_kind_is_followed_in_every_namespace_that_is_watched(
    woken: Woken, spaces: tuple[str, ...], foreign: bool
) -> None:
    config = CONFIG.model_copy(update={"watch_namespaces": spaces, "foreign_pods": foreign})
    caches = Caches(config, woken.now.append, woken.soon.append)
    time: Time = ManualClock().time

    followed = [each._watched for each in caches.informers(None, time, Meter())]  # type: ignore[arg-type]  # - not used

    for kind in (*CHILDREN, PODS, RESOURCE_QUOTAS):
        scopes = [each.scope for each in followed if each.kind == kind]
        ours = [scope for scope in scopes if scope.labels == (None if kind == RESOURCE_QUOTAS else names.SELECTOR)]
        assert [scope.namespace for scope in ours] == list(spaces or (None,))
        assert len(scopes) - len(ours) == (foreign and kind == PODS)
