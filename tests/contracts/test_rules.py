"""What an API server refuses, in which field, and how it writes down what it takes."""

from __future__ import annotations

import pytest

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.kinds import BUDGETS, CLAIMS, CONTROLLER_REVISIONS, EVENTS, JOBS, PODS, Ref
from support.fake_kube.manifests import LABELS, claim, config_map, job, owned_by, pod, pod_template, replica_set
from support.fake_kube.under_test import Server


async def refused(server: Server, manifest: Json) -> KubeError:
    with pytest.raises(KubeError) as error:
        await server.client.apply(manifest)
    assert (error.value.status, error.value.reason) == (422, "Invalid")
    return error.value


@pytest.mark.parametrize("name", ["UPPER", "under_score", "-dash", "x" * 254, "a..b"])
async def test_a_name_that_is_no_subdomain_is_refused(server: Server, name: str) -> None:
    error = await refused(server, config_map(name, {}, server.namespace))

    assert "metadata.name" in error.message
    assert name not in error.message


@pytest.mark.parametrize("labels", [{"a": "x" * 64}, {"a": "no spaces"}, {"a": "-"}])
async def test_a_label_that_is_none_is_refused(server: Server, labels: dict[str, str]) -> None:
    assert "metadata.labels" in (await refused(server, config_map("one", {}, server.namespace, labels=labels))).message


@pytest.mark.parametrize("field", ["uid", "name", "kind", "apiVersion"])
async def test_an_owner_reference_must_be_whole(server: Server, field: str) -> None:
    owner = await server.client.create(config_map("owner", {}, server.namespace))
    references = owned_by(owner)
    references[0][field] = ""

    error = await refused(server, config_map("child", {}, server.namespace, ownerReferences=references))

    assert f"metadata.ownerReferences[0].{field}" in error.message or "ownerReferences" in error.message


async def test_a_second_controller_is_refused_even_when_it_is_applied_to_an_old_child(server: Server) -> None:
    first = await server.client.create(config_map("first", {}, server.namespace))
    second = await server.client.create(config_map("second", {}, server.namespace))
    child = config_map("child", {}, server.namespace)
    await server.client.create({**child, "metadata": {**child["metadata"], "ownerReferences": owned_by(first)}})

    taken = {**child, "metadata": {**child["metadata"], "ownerReferences": owned_by(second)}}
    error = await refused(server, taken)

    assert "ownerReferences" in error.message


async def test_a_budget_has_one_measure_even_when_ours_is_applied_over_anothers(server: Server) -> None:
    meta = {"name": "one", "namespace": server.namespace}
    ours = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": {"maxUnavailable": 0}}
    await server.client.apply(ours)
    theirs = {"spec": {"maxUnavailable": None, "minAvailable": 0}}
    await server.client.merge_patch(Ref(BUDGETS, server.namespace, "one"), theirs)

    error = await refused(server, ours)

    assert "minAvailable and maxUnavailable cannot be both set" in error.message


async def test_a_selector_must_match_its_template(server: Server) -> None:
    other = pod_template()
    other["metadata"] = {"labels": {"app": "another"}}

    assert (
        "spec.template.metadata.labels"
        in (await refused(server, replica_set("one", 0, server.namespace, other))).message
    )


async def test_the_selector_of_a_replica_set_never_changes(server: Server) -> None:
    await server.client.apply(replica_set("one", 0, server.namespace))
    changed = replica_set("one", 0, server.namespace)
    changed["spec"]["selector"] = {"matchLabels": {"app": "another"}}
    changed["spec"]["template"]["metadata"] = {"labels": {"app": "another"}}

    assert "spec.selector" in (await refused(server, changed)).message


async def test_the_template_of_a_replica_set_may_change(server: Server) -> None:
    await server.client.apply(replica_set("one", 0, server.namespace))
    labelled = pod_template()
    labelled["metadata"] = {"labels": {**LABELS, "traffic": "serving"}}

    changed = await server.client.apply(replica_set("one", 0, server.namespace, labelled))

    assert changed["spec"]["template"]["metadata"]["labels"] == {**LABELS, "traffic": "serving"}


async def test_the_template_of_a_job_never_changes_and_its_message_shows_no_value(server: Server) -> None:
    await server.client.create(job("one", server.namespace, suspend=False))
    ref = Ref(JOBS, server.namespace, "one")
    found = await server.client.get(JOBS, server.namespace, "one")
    assert found is not None
    containers = found["spec"]["template"]["spec"]["containers"]
    containers[0]["env"] = [{"name": "TOKEN", "value": "a-canary-value"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}

    with pytest.raises(KubeError) as error:
        await server.client.merge_patch(ref, patch)

    assert error.value.status == 422
    assert "spec.template" in error.value.message
    assert "a-canary-value" not in error.value.message


async def test_the_claim_of_a_volume_never_changes_before_it_is_bound(server: Server) -> None:
    await server.client.create(claim("one", server.namespace))
    patch = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}

    with pytest.raises(KubeError) as error:
        await server.client.merge_patch(Ref(CLAIMS, server.namespace, "one"), patch)

    assert error.value.status == 422


async def test_the_data_of_a_controller_revision_never_changes_but_its_annotations_do(server: Server) -> None:
    meta = {"name": "one", "namespace": server.namespace}
    body = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": meta,
        "revision": 1,
        "data": {"a": {"b": 1}},
    }
    made = await server.client.create(body)
    ref = Ref(CONTROLLER_REVISIONS, server.namespace, "one")

    annotated = await server.client.merge_patch(ref, {"metadata": {"annotations": {"proven": "yes"}}})
    with pytest.raises(KubeError) as error:
        await server.client.merge_patch(ref, {"data": {"a": {"b": 2}}})

    assert error.value.status == 422
    assert annotated["metadata"]["annotations"] == {"proven": "yes"}
    assert annotated["data"] == made["data"] == {"a": {"b": 1}}


async def test_an_immutable_config_map_keeps_its_data(server: Server) -> None:
    await server.client.apply({**config_map("one", {"a": "1"}, server.namespace), "immutable": True})

    error = await refused(server, {**config_map("one", {"a": "2"}, server.namespace), "immutable": True})

    assert "data" in error.message


async def test_the_labels_of_a_pod_may_change_and_its_spec_may_not(server: Server) -> None:
    made = await server.client.create(pod("one", server.namespace))
    ref, uid = Ref(PODS, server.namespace, "one"), made["metadata"]["uid"]

    labelled = await server.client.merge_patch(ref, {"metadata": {"uid": uid, "labels": {"traffic": "serving"}}})
    with pytest.raises(KubeError) as error:
        await server.client.merge_patch(ref, {"metadata": {"uid": uid}, "spec": {"nodeSelector": {"other": "node"}}})

    assert labelled["metadata"]["labels"]["traffic"] == "serving"
    assert error.value.status == 422


async def test_a_status_in_a_new_object_is_ignored(server: Server) -> None:
    made = await server.client.create({**replica_set("one", 0, server.namespace), "status": {"replicas": 5}})

    assert (made.get("status") or {}).get("replicas", 0) == 0


async def test_an_event_is_created_once_and_counted_by_a_patch(server: Server) -> None:
    meta = {"name": "one.0123456789abcdef", "namespace": server.namespace}
    involved = {"apiVersion": "v1", "kind": "ConfigMap", "name": "one", "namespace": server.namespace, "uid": "u"}
    body = {
        "apiVersion": "v1", "kind": "Event", "metadata": meta, "involvedObject": involved, "type": "Normal",
        "reason": "Told", "message": "text", "count": 1, "source": {"component": "inferfleet"},
        "reportingComponent": "inferfleet", "reportingInstance": "pod-1",
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    await server.client.create(body)
    ref = Ref(EVENTS, server.namespace, meta["name"])

    counted = await server.client.merge_patch(ref, {"count": 2, "lastTimestamp": "2026-01-01T00:10:00Z"})

    assert counted["count"] == 2
    assert counted["lastTimestamp"] == "2026-01-01T00:10:00Z"
