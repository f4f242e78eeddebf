"""Server-side apply, patches and replacements: whose field it is, and whose version."""

from __future__ import annotations

import pytest

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.kinds import CONFIG_MAPS, LEASES, REPLICA_SETS, Kind, Ref
from support.fake_kube.manifests import config_map, owned_by, pod_template, replica_set
from support.fake_kube.under_test import Server


def map_path(server: Server, name: str = "one") -> str:
    return CONFIG_MAPS.path(server.namespace, name)


def managers(obj: Json) -> dict[tuple[str, str], Json]:
    found = obj["metadata"]["managedFields"]
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in found}


async def test_applying_creates_and_applying_again_changes_nothing(server: Server) -> None:
    first = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))
    second = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))

    assert second == first
    assert managers(first) == {("inferfleet", "Apply"): {"f:data": {"f:a": {}}}}


async def test_a_field_that_its_owner_drops_vanishes(server: Server) -> None:
    await server.client.apply(config_map("one", {"a": "1", "b": "2"}, server.namespace, labels={"x": "y"}))

    changed = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))

    assert changed["data"] == {"a": "1"}
    assert "labels" not in changed["metadata"]


async def test_an_owner_that_is_no_longer_applied_is_let_go(server: Server) -> None:
    owner = await server.client.create(config_map("owner", {}, server.namespace))
    owned = config_map("one", {"a": "1"}, server.namespace, ownerReferences=owned_by(owner))
    await server.client.apply(owned)

    changed = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))

    assert "ownerReferences" not in changed["metadata"]


async def test_a_field_of_two_owners_stays_until_both_drop_it(server: Server) -> None:
    both = config_map("one", {"a": "1", "shared": "s"}, server.namespace)
    await server.client.apply(both)
    await server.apply_as("other", map_path(server), config_map("one", {"shared": "s"}, server.namespace))

    kept = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))
    gone = await server.apply_as("other", map_path(server), config_map("one", {}, server.namespace))

    assert kept["data"] == {"a": "1", "shared": "s"}
    assert gone["data"] == {"a": "1"}


async def test_a_field_of_another_owner_is_a_conflict_without_force(server: Server) -> None:
    await server.client.apply(config_map("one", {"a": "1"}, server.namespace))

    with pytest.raises(KubeError) as error:
        await server.apply_as("other", map_path(server), config_map("one", {"a": "2"}, server.namespace))

    assert (error.value.status, error.value.reason) == (409, "Conflict")
    assert 'conflict with "inferfleet"' in error.value.message


async def test_force_takes_the_field_and_its_ownership(server: Server) -> None:
    await server.apply_as("other", map_path(server), config_map("one", {"a": "1", "b": "1"}, server.namespace))

    taken = await server.client.apply(config_map("one", {"a": "2"}, server.namespace))

    assert taken["data"] == {"a": "2", "b": "1"}
    assert managers(taken) == {
        ("other", "Apply"): {"f:data": {"f:b": {}}},
        ("inferfleet", "Apply"): {"f:data": {"f:a": {}}},
    }


async def test_an_edit_takes_a_field_from_who_applied_it_and_applying_takes_it_back(server: Server) -> None:
    await server.client.apply(config_map("one", {"a": "1"}, server.namespace))
    query = {"fieldManager": "kubectl-edit"}
    patch = {"data": {"a": "2", "more": "m"}}
    edited = await server.ask("PATCH", map_path(server), query, patch, "application/merge-patch+json")

    restored = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))

    assert edited["data"] == {"a": "2", "more": "m"}
    assert restored["data"] == {"a": "1", "more": "m"}
    assert managers(restored)["inferfleet", "Apply"] == {"f:data": {"f:a": {}}}


async def test_elements_of_a_list_are_merged_by_their_key(server: Server) -> None:
    template = pod_template()
    await server.client.apply(replica_set("one", 0, server.namespace, template))
    path = REPLICA_SETS.path(server.namespace, "one")
    sidecar = {"name": "sidecar", "image": "registry.invalid/sidecar:1"}
    extra = replica_set("one", 0, server.namespace, {"spec": {"containers": [sidecar]}})
    extra["spec"] = {"template": extra["spec"]["template"]}
    both = await server.apply_as("other", path, extra)

    changed = pod_template()
    changed["spec"]["containers"][0]["env"] = [{"name": "B", "value": "2"}]
    after = await server.client.apply(replica_set("one", 0, server.namespace, changed))

    names = {container["name"] for container in both["spec"]["template"]["spec"]["containers"]}
    found = {container["name"]: container for container in after["spec"]["template"]["spec"]["containers"]}
    assert names == set(found) == {"server", "sidecar"}
    assert found["server"]["env"] == [{"name": "B", "value": "2"}]


async def test_an_apply_that_names_another_uid_changes_nothing(server: Server) -> None:
    made = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))
    other = config_map("one", {"a": "2"}, server.namespace, uid="00000000-0000-4000-8000-000000000000")

    with pytest.raises(KubeError) as error:
        await server.client.apply(other)

    assert (error.value.status, error.value.reason) == (422, "Invalid")
    assert await server.client.get(CONFIG_MAPS, server.namespace, "one") == made


async def test_an_apply_that_names_a_uid_never_creates(server: Server) -> None:
    wanted = config_map("one", {"a": "2"}, server.namespace, uid="00000000-0000-4000-8000-000000000000")

    with pytest.raises(KubeError) as error:
        await server.client.apply(wanted)

    assert error.value.status == 409
    assert await server.client.get(CONFIG_MAPS, server.namespace, "one") is None


async def test_an_apply_with_an_old_version_is_a_conflict(server: Server) -> None:
    first = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))
    await server.client.apply(config_map("one", {"a": "2"}, server.namespace))
    old = config_map("one", {"a": "3"}, server.namespace, resourceVersion=first["metadata"]["resourceVersion"])

    with pytest.raises(KubeError) as error:
        await server.client.apply(old)

    assert (error.value.status, error.value.reason) == (409, "Conflict")


@pytest.mark.parametrize(
    ("query", "change", "status"),
    [
        ({}, {}, 422),
        ({"fieldManager": "x"}, {"apiVersion": None}, 400),
        ({"fieldManager": "x"}, {"metadata": {"name": "another"}}, 400),
        ({"fieldManager": "x"}, {"metadata": {"name": "one", "managedFields": [{"manager": "x"}]}}, 400),
    ],
)
async def test_a_malformed_apply_is_refused(server: Server, query: Json, change: Json, status: int) -> None:
    body = config_map("one", {}, server.namespace) | change
    body = {name: value for name, value in body.items() if value is not None}

    with pytest.raises(KubeError) as error:
        await server.ask("PATCH", map_path(server), query, body, "application/apply-patch+yaml")

    assert error.value.status == status


async def test_a_merge_patch_changes_what_it_names_and_null_removes(server: Server) -> None:
    made = await server.client.create(config_map("one", {"a": "1", "b": "2"}, server.namespace, labels={"x": "y"}))
    patch = {"metadata": {"uid": made["metadata"]["uid"], "labels": {"new": "1"}}, "data": {"a": None}}

    patched = await server.client.merge_patch(Ref(CONFIG_MAPS, server.namespace, "one"), patch)

    assert patched["data"] == {"b": "2"}
    assert patched["metadata"]["labels"] == {"new": "1", "x": "y"}


async def test_a_merge_patch_for_another_uid_changes_nothing(server: Server) -> None:
    made = await server.client.create(config_map("one", {"a": "1"}, server.namespace))
    patch = {"metadata": {"uid": "00000000-0000-4000-8000-000000000000", "labels": {"new": "1"}}}

    with pytest.raises(KubeError) as error:
        await server.client.merge_patch(Ref(CONFIG_MAPS, server.namespace, "one"), patch)

    assert (error.value.status, error.value.reason) == (422, "Invalid")
    assert "metadata.uid" in error.value.message
    assert await server.client.get(CONFIG_MAPS, server.namespace, "one") == made


async def test_a_replacement_for_another_uid_is_a_conflict(server: Server) -> None:
    made = await server.client.create(lease("one", server.namespace))
    other = {**made, "metadata": {**made["metadata"], "uid": "00000000-0000-4000-8000-000000000000"}}

    with pytest.raises(KubeError) as error:
        await server.client.replace(other)

    assert (error.value.status, error.value.reason) == (409, "Conflict")


async def test_a_patch_of_nothing_is_not_found(server: Server) -> None:
    with pytest.raises(KubeError) as error:
        await server.client.merge_patch(Ref(CONFIG_MAPS, server.namespace, "nothing"), {"data": {}})

    assert (error.value.status, error.value.reason) == (404, "NotFound")


async def test_a_json_patch_whose_test_fails_changes_nothing(server: Server) -> None:
    made = await server.client.create(config_map("one", {"a": "1"}, server.namespace))
    operations = [{"op": "test", "path": "/data/a", "value": "2"}, {"op": "replace", "path": "/data/a", "value": "3"}]

    with pytest.raises(KubeError) as error:
        await server.ask("PATCH", map_path(server), {}, operations, "application/json-patch+json")

    assert error.value.status == 422
    assert await server.client.get(CONFIG_MAPS, server.namespace, "one") == made


async def test_a_replacement_with_an_old_version_is_a_conflict(server: Server) -> None:
    first = await server.client.create(lease("one", server.namespace))
    await server.client.replace({**first, "spec": {**first["spec"], "leaseTransitions": 1}})

    with pytest.raises(KubeError) as error:
        await server.client.replace({**first, "spec": {**first["spec"], "leaseTransitions": 2}})

    assert (error.value.status, error.value.reason) == (409, "Conflict")


async def test_a_replacement_of_what_was_deleted_is_refused(server: Server) -> None:
    first = await server.client.create(lease("one", server.namespace))
    await server.client.delete(Ref(LEASES, server.namespace, "one"), first["metadata"]["uid"])

    with pytest.raises(KubeError) as error:
        await server.client.replace(first)

    assert error.value.status in (404, 409)
    assert await server.client.get(LEASES, server.namespace, "one") is None


async def test_the_times_of_a_lease_are_kept_to_the_microsecond(server: Server) -> None:
    made = await server.client.create(lease("one", server.namespace))

    assert made["spec"]["renewTime"] == "2026-01-02T03:04:05.000006Z"


async def test_only_a_change_of_spec_makes_a_new_generation(server: Server) -> None:
    made = await server.client.apply(replica_set("one", 0, server.namespace))
    labelled = replica_set("one", 0, server.namespace)
    labelled["metadata"]["labels"] = {"x": "y"}
    labelled = await server.client.apply(labelled)
    changed = await server.client.apply(
        replica_set("one", 0, server.namespace, pod_template(terminationGracePeriodSeconds=7))
    )

    generations = [one["metadata"]["generation"] for one in (made, labelled, changed)]
    assert generations == [1, 1, 2]


def lease(name: str, namespace: str, kind: Kind = LEASES) -> Json:
    spec = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-02T03:04:05.000006Z"}
    meta = {"name": name, "namespace": namespace}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": meta,
        "spec": {**spec, "leaseTransitions": 0},
    }
