"""Deletion: preconditions, grace, finalizers, owners and namespaces."""

from __future__ import annotations

import pytest

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.answers import parse_status
from inferfleet.kube.client import Scope
from inferfleet.kube.kinds import CONFIG_MAPS, PODS, REPLICA_SETS, Ref
from support.fake_kube.manifests import config_map, owned_by, pod, replica_set
from support.fake_kube.under_test import NAMESPACES, Server, eventually

NO_UID = "00000000-0000-4000-8000-000000000000"
FINALIZER = "contract.inferfleet.dev/hold"


async def made_map(server: Server, name: str = "one", **meta: object) -> Json:
    return await server.client.create(config_map(name, {"a": "1"}, server.namespace, **meta))


def ref_of(server: Server, name: str = "one") -> Ref:
    return Ref(CONFIG_MAPS, server.namespace, name)


async def is_gone(server: Server, name: str) -> bool:
    return await server.client.get(CONFIG_MAPS, server.namespace, name) is None


async def test_a_deletion_says_whether_there_was_something(server: Server) -> None:
    made = await made_map(server)

    assert await server.client.delete(ref_of(server), made["metadata"]["uid"])
    assert not await server.client.delete(ref_of(server), made["metadata"]["uid"])


async def test_another_object_of_the_name_is_not_deleted(server: Server) -> None:
    made = await made_map(server)

    with pytest.raises(KubeError) as error:
        await server.client.delete(ref_of(server), NO_UID)

    assert (error.value.status, error.value.reason) == (409, "Conflict")
    assert await server.client.get(CONFIG_MAPS, server.namespace, "one") == made


async def test_an_object_that_changed_since_is_not_deleted(server: Server) -> None:
    made = await made_map(server)
    await server.client.merge_patch(ref_of(server), {"data": {"a": "2"}})
    meta = made["metadata"]

    with pytest.raises(KubeError) as error:
        await server.client.delete(ref_of(server), meta["uid"], version=meta["resourceVersion"])

    assert error.value.status == 409
    assert not await is_gone(server, "one")


async def test_an_object_with_a_finalizer_waits_for_its_removal(server: Server) -> None:
    made = await made_map(server, finalizers=[FINALIZER])
    await server.client.delete(ref_of(server), made["metadata"]["uid"])
    waiting = await server.client.get(CONFIG_MAPS, server.namespace, "one")

    await server.client.merge_patch(ref_of(server), {"metadata": {"finalizers": None}})

    assert waiting is not None
    assert waiting["metadata"]["deletionTimestamp"]
    assert await is_gone(server, "one")


async def test_a_pod_that_runs_nowhere_is_gone_at_once(server: Server) -> None:
    made = await server.client.create(pod("one", server.namespace))

    await server.client.delete(Ref(PODS, server.namespace, "one"), made["metadata"]["uid"])

    assert await server.client.get(PODS, server.namespace, "one") is None


async def test_a_bound_pod_gets_its_grace_which_a_second_deletion_can_only_shorten(server: Server) -> None:
    made = await server.client.create(pod("one", server.namespace, node="no-such-node"))
    ref, uid = Ref(PODS, server.namespace, "one"), made["metadata"]["uid"]

    await server.client.delete(ref, uid)
    first = await server.client.get(PODS, server.namespace, "one")
    await server.client.delete(ref, uid, grace_seconds=100)
    longer = await server.client.get(PODS, server.namespace, "one")
    await server.client.delete(ref, uid, grace_seconds=5)
    shorter = await server.client.get(PODS, server.namespace, "one")
    await server.client.delete(ref, uid, grace_seconds=0)

    graces = [one and one["metadata"]["deletionGracePeriodSeconds"] for one in (first, longer, shorter)]
    assert graces == [30, 30, 5]
    assert await server.client.get(PODS, server.namespace, "one") is None


async def test_children_follow_their_owner(server: Server) -> None:
    owner = await made_map(server, "owner")
    await made_map(server, "child", ownerReferences=owned_by(owner))
    await server.client.delete(ref_of(server, "owner"), owner["metadata"]["uid"])

    await eventually(lambda: is_gone(server, "child"), bool)


async def test_a_child_of_an_owner_with_another_uid_is_collected(server: Server) -> None:
    owner = await made_map(server, "owner")
    references = owned_by(owner)
    references[0]["uid"] = NO_UID
    await made_map(server, "child", ownerReferences=references)

    await eventually(lambda: is_gone(server, "child"), bool)
    assert not await is_gone(server, "owner")


async def test_a_child_with_another_owner_stays(server: Server) -> None:
    first, second = await made_map(server, "first"), await made_map(server, "second")
    both = [*owned_by(first), *owned_by(second, controller=False)]
    await made_map(server, "child", ownerReferences=both)
    await made_map(server, "sibling", ownerReferences=owned_by(first))

    await server.client.delete(ref_of(server, "first"), first["metadata"]["uid"])
    await eventually(lambda: is_gone(server, "sibling"), bool)

    assert not await is_gone(server, "child")


async def test_foreground_deletion_keeps_the_owner_until_its_children_are_gone(server: Server) -> None:
    owner = await made_map(server, "owner")
    references = owned_by(owner)
    references[0]["blockOwnerDeletion"] = True
    await made_map(server, "child", ownerReferences=references, finalizers=[FINALIZER])

    await server.client.delete(ref_of(server, "owner"), owner["metadata"]["uid"], propagation="Foreground")
    waiting = await server.client.get(CONFIG_MAPS, server.namespace, "owner")
    child = await eventually(
        lambda: server.client.get(CONFIG_MAPS, server.namespace, "child"),
        lambda found: found and "deletionTimestamp" in found["metadata"],
    )
    assert not await is_gone(server, "owner")
    await server.client.merge_patch(ref_of(server, "child"), {"metadata": {"finalizers": None}})

    assert waiting is not None
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert child is not None
    await eventually(lambda: is_gone(server, "owner"), bool)


async def test_orphans_lose_only_their_reference(server: Server) -> None:
    owner = await made_map(server, "owner")
    await made_map(server, "child", ownerReferences=owned_by(owner))

    await server.client.delete(ref_of(server, "owner"), owner["metadata"]["uid"], propagation="Orphan")
    await eventually(lambda: is_gone(server, "owner"), bool)

    child = await server.client.get(CONFIG_MAPS, server.namespace, "child")
    assert child is not None
    assert "ownerReferences" not in child["metadata"]


async def test_a_terminating_namespace_takes_nothing_new(server: Server) -> None:
    await made_map(server, finalizers=[FINALIZER])
    namespace = await server.client.get(NAMESPACES, None, server.namespace)
    assert namespace is not None
    await server.client.delete(Ref(NAMESPACES, None, server.namespace), namespace["metadata"]["uid"])

    with pytest.raises(KubeError) as error:
        await server.client.apply(config_map("late", {}, server.namespace))

    await server.client.merge_patch(ref_of(server), {"metadata": {"finalizers": None}})
    assert (error.value.status, error.value.reason) == (403, "Forbidden")
    assert "is being terminated" in error.value.message


async def test_a_namespace_that_is_not_there_is_said_by_name(server: Server) -> None:
    with pytest.raises(KubeError) as error:
        await server.client.apply(config_map("one", {}, "no-such-namespace"))

    assert (error.value.status, error.value.reason) == (404, "NotFound")
    assert error.value.message == 'namespaces "no-such-namespace" not found'


async def test_pods_of_a_deleted_replica_set_are_collected(server: Server) -> None:
    made = await server.client.apply(replica_set("one", 2, server.namespace, unschedulable()))
    await eventually(lambda: pods(server), lambda found: len(found) == 2)

    await server.client.delete(Ref(REPLICA_SETS, server.namespace, "one"), made["metadata"]["uid"])

    await eventually(lambda: pods(server), lambda found: not found)


async def pods(server: Server) -> list[Json]:
    return await server.client.list(PODS, Scope(server.namespace))


def unschedulable() -> Json:
    found = pod("template")
    return {"metadata": {"labels": found["metadata"]["labels"]}, "spec": found["spec"]}


def test_an_answer_that_is_no_status_tells_nothing() -> None:
    assert parse_status(b"<html>token=secret</html>") == {}
