"""The status of a type of our own: written apart from the rest, by an owner of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.kinds import Kind, Ref
from support.fake_kube.manifests import thing_crd
from support.fake_kube.under_test import DEFINITIONS, Server, eventually


@pytest.fixture
async def things(server: Server) -> AsyncIterator[Kind]:
    """Make a type of the test's own."""
    kind = Kind(f"contract-{uuid4().hex[:12]}.inferfleet.dev", "v1", "things", "Thing")
    made = await server.client.create(thing_crd(kind.group), DEFINITIONS)
    await eventually(lambda: server.client.get(DEFINITIONS, None, made["metadata"]["name"]), is_established)
    await eventually(lambda: _is_served(server, kind), bool)
    yield kind
    await server.client.delete(Ref(DEFINITIONS, None, made["metadata"]["name"]), made["metadata"]["uid"])


@pytest.fixture
async def ref(server: Server, things: Kind) -> Ref:
    """One object of that type."""
    await server.client.create(thing(things, server), things)
    return Ref(things, server.namespace, "one")


def thing(kind: Kind, server: Server, **spec: object) -> Json:
    meta = {"name": "one", "namespace": server.namespace}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}


def is_established(crd: Json | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or []
    return {"type": "Established", "status": "True"}.items() <= next(
        (one for one in conditions if one["type"] == "Established"), {}
    ).items()


async def _is_served(server: Server, kind: Kind) -> bool:
    try:
        await server.client.list(kind, server.scope)
    except KubeError:
        return False
    return True


async def test_a_new_object_has_the_defaults_of_its_schema_and_no_unknown_field(server: Server, things: Kind) -> None:
    made = await server.client.create(thing(things, server, size=1, unknown=True), things)

    assert made["spec"] == {"size": 1}
    assert made["status"] == {"observedGeneration": -1}
    assert made["metadata"]["generation"] == 1


async def test_a_status_is_written_without_a_new_generation(server: Server, ref: Ref) -> None:
    written = await server.client.patch_status(ref, {"observedGeneration": 1, "plan": {"image": "i"}})

    assert written["status"] == {"observedGeneration": 1, "plan": {"image": "i"}}
    assert written["metadata"]["generation"] == 1


async def test_the_same_status_again_leaves_the_version_alone(server: Server, ref: Ref) -> None:
    status = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    first = await server.client.patch_status(ref, status)
    second = await server.client.patch_status(ref, status)

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_status_field_that_we_stop_writing_vanishes(server: Server, ref: Ref) -> None:
    conditions = [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "True"}]
    whole: Json = {"observedGeneration": 1, "plan": {"image": "i", "gpus": 8}, "conditions": conditions}
    await server.client.patch_status(ref, whole)

    part: Json = {"observedGeneration": 1, "plan": {"image": "i"}, "conditions": conditions[:1]}
    shorter = await server.client.patch_status(ref, part)
    bare = await server.client.patch_status(ref, {"observedGeneration": 1})

    assert shorter["status"] == part
    assert bare["status"] == {"observedGeneration": 1}


async def test_another_writers_condition_is_kept(server: Server, ref: Ref) -> None:
    theirs = {"apiVersion": ref.kind.api_version, "kind": ref.kind.kind, "metadata": {"name": ref.name}}
    await server.apply_as(
        "other", f"{ref.path}/status", {**theirs, "status": {"conditions": [{"type": "Theirs", "status": "True"}]}}
    )

    await server.client.patch_status(ref, {"conditions": [{"type": "Ready", "status": "True"}]})
    ours_gone = await server.client.patch_status(ref, {"observedGeneration": 1})

    assert ours_gone["status"]["conditions"] == [{"type": "Theirs", "status": "True"}]


async def test_a_status_for_an_old_version_is_a_conflict(server: Server, ref: Ref) -> None:
    first = await server.client.patch_status(ref, {"observedGeneration": 1})
    await server.client.patch_status(ref, {"observedGeneration": 2})

    with pytest.raises(KubeError) as error:
        await server.client.patch_status(ref, {"observedGeneration": 3}, first["metadata"]["resourceVersion"])

    assert (error.value.status, error.value.reason) == (409, "Conflict")


async def test_a_status_of_nothing_is_not_found(server: Server, things: Kind) -> None:
    with pytest.raises(KubeError) as error:
        await server.client.patch_status(Ref(things, server.namespace, "nothing"), {"observedGeneration": 1})

    assert (error.value.status, error.value.reason) == (404, "NotFound")


async def test_a_write_to_the_object_leaves_its_status_alone_and_the_other_way_round(server: Server, ref: Ref) -> None:
    await server.client.patch_status(ref, {"observedGeneration": 1})

    changed = await server.client.merge_patch(ref, {"spec": {"size": 2}, "status": {"observedGeneration": 7}})
    body: Json = {"spec": {"size": 3}, "metadata": {"labels": {"a": "b"}}, "status": {"observedGeneration": 2}}
    status = await server.ask("PATCH", f"{ref.path}/status", {}, body, "application/merge-patch+json")

    assert (changed["spec"], changed["status"]) == ({"size": 2}, {"observedGeneration": 1})
    assert (status["spec"], status["status"]) == ({"size": 2}, {"observedGeneration": 2})
    assert "labels" not in status["metadata"]
    assert status["metadata"]["generation"] == 2


async def test_a_list_without_a_key_has_one_owner(server: Server, ref: Ref) -> None:
    spec = {"apiVersion": ref.kind.api_version, "kind": ref.kind.kind, "metadata": {"name": ref.name}}
    await server.apply_as("one", ref.path, {**spec, "spec": {"names": ["a", "b"]}})

    replaced = await server.apply_as("two", ref.path, {**spec, "spec": {"names": ["c"]}}, force=True)

    assert replaced["spec"]["names"] == ["c"]


async def test_a_replacement_without_a_version_is_refused(server: Server, ref: Ref) -> None:
    body = thing(ref.kind, server, size=2)

    with pytest.raises(KubeError) as error:
        await server.client.replace(body, ref.kind)

    assert (error.value.status, error.value.reason) == (422, "Invalid")
    assert "resourceVersion" in error.value.message


async def test_deleting_a_type_deletes_its_objects_and_its_paths(server: Server) -> None:
    kind = Kind(f"contract-{uuid4().hex[:12]}.inferfleet.dev", "v1", "things", "Thing")
    crd = await server.client.create(thing_crd(kind.group), DEFINITIONS)
    await eventually(lambda: _is_served(server, kind), bool)
    made = await server.client.create(thing(kind, server), kind)

    watching = asyncio.create_task(server.events(kind, made["metadata"]["resourceVersion"], 1))
    await asyncio.sleep(0.2)
    await server.client.delete(Ref(DEFINITIONS, None, crd["metadata"]["name"]), crd["metadata"]["uid"])

    events = await watching
    assert [event["type"] for event in events] == ["DELETED"]
    await eventually(lambda: _is_served(server, kind), lambda served: not served)
    with pytest.raises(KubeError) as error:
        await server.client.get(kind, server.namespace, "one")
    assert error.value.status == 404
    assert error.value.reason != "NotFound"


async def test_a_map_whose_last_field_we_stop_writing_vanishes_with_it(server: Server, ref: Ref) -> None:
    await server.client.patch_status(ref, {"observedGeneration": 1, "plan": {"image": "i"}})

    emptied = await server.client.patch_status(ref, {"observedGeneration": 1, "plan": {}})

    assert emptied["status"] == {"observedGeneration": 1}


async def test_an_empty_map_where_the_same_owner_had_fields_is_refused(server: Server, ref: Ref) -> None:
    """Why `patch_status` leaves empty maps out: the API server makes null of them and then refuses it."""
    body = {"apiVersion": ref.kind.api_version, "kind": ref.kind.kind, "metadata": {"name": ref.name}}
    await server.apply_as("one", f"{ref.path}/status", {**body, "status": {"plan": {"image": "i"}}})

    with pytest.raises(KubeError) as error:
        await server.apply_as("one", f"{ref.path}/status", {**body, "status": {"plan": {}}})

    assert (error.value.status, error.value.reason) == (422, "Invalid")
    assert error.value.message.startswith("status.plan: Invalid value")
