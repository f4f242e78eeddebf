"""ReplicaSets, Services, budgets, ConfigMaps and claims, and what is laid over a template."""

from __future__ import annotations

import copy
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.api.base import Json
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.fleet.revision import Recorded
from inferfleet.plan.desired import Budget, CachePlan, Overlay, WantedClaim, WantedRecord, WantedSet
from inferfleet.render import children
from inferfleet.render.overlay import lay_over
from inferfleet.render.record import read_record, record
from inferfleet.render.template import pod_template
from render.specs import patiently, specs
from render.values import (
    CONFIG,
    OWNER,
    check_golden,
    check_restricted,
    check_schema,
    container,
    model,
    repository,
    serving,
    spec,
)

PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
overlays = st.builds(
    Overlay,
    traffic=st.sampled_from(["held", "serving"]),
    drain_seconds=st.integers(1, 7200),
    priority_class=st.sampled_from(["", "high"]),
    avoid_nodes=st.lists(st.sampled_from(["node1", "node2"]), unique=True).map(tuple),
)


def recorded(wanted: ModelDeploymentSpec | None = None, cache: CachePlan | None = None) -> Recorded:
    found = repository(model(config=None, files=("model.py",)))
    return read_record(record(WantedRecord(serving(wanted, cache, found), 3, "", "because"), CONFIG))


def test_a_replica_set_is_restored_from_its_record() -> None:
    overlay = Overlay("serving", 60, "high", ("node2", "node1"))

    check_golden("replicaset", children.replica_set(WantedSet(recorded(), 2, overlay), OWNER))


def test_a_replica_set_owns_pods_by_revision_and_never_by_traffic() -> None:
    found = children.replica_set(WantedSet(recorded(), 2, Overlay("held", 60)), OWNER)

    assert found["spec"]["selector"]["matchLabels"].keys() == {
        "inferfleet.dev/model", "inferfleet.dev/revision", "inferfleet.dev/shape",
    }  # fmt: skip


@patiently
@given(drawn=specs(), overlay=overlays)
def test_nothing_but_the_overlay_differs_from_the_record(
    drawn: tuple[ModelDeploymentSpec, CachePlan], overlay: Overlay
) -> None:
    bare = pod_template(serving(*drawn), CONFIG)
    kept = copy.deepcopy(bare)

    laid = lay_over(bare, overlay)

    assert bare == kept
    assert laid["metadata"]["labels"]["inferfleet.dev/traffic"] == overlay.traffic
    assert laid["spec"]["terminationGracePeriodSeconds"] == overlay.drain_seconds + 20
    assert laid["spec"].get("priorityClassName", "") == overlay.priority_class
    assert {"name": "DRAIN_SECONDS", "value": str(overlay.drain_seconds)} in container(laid, "server")["env"]
    assert without_overlay(laid) == without_overlay(bare)
    check_restricted(laid)


@patiently
@given(drawn=specs(), first=overlays, second=overlays)
def test_laid_over_twice_the_last_one_holds(
    drawn: tuple[ModelDeploymentSpec, CachePlan], first: Overlay, second: Overlay
) -> None:
    bare = pod_template(serving(*drawn), CONFIG)

    assert lay_over(lay_over(bare, first), second) == lay_over(bare, second)


def without_overlay(template: Json) -> Json:
    """Take away, by hand, the parts that an overlay may touch."""
    bare: Json = copy.deepcopy(template)
    del bare["metadata"]["labels"]["inferfleet.dev/traffic"]
    pod = bare["spec"]
    del pod["terminationGracePeriodSeconds"]
    pod.pop("priorityClassName", None)
    server = container(bare, "server")
    server["env"] = [each for each in server["env"] if each["name"] != "DRAIN_SECONDS"]
    nodes = pod.get("affinity", {}).get("nodeAffinity", {})
    wishes = nodes.pop(PREFERRED, [])
    kept = [wish for wish in wishes if "matchFields" not in wish["preference"]]
    if kept:
        nodes[PREFERRED] = kept
    return bare


def test_avoided_nodes_are_shunned_and_not_forbidden() -> None:
    laid = lay_over(pod_template(serving(), CONFIG), Overlay("held", 1, avoid_nodes=("b", "a")))

    affinity = laid["spec"]["affinity"]["nodeAffinity"]
    [wish] = affinity[PREFERRED]
    assert [field["values"] for field in wish["preference"]["matchFields"]] == [["a"], ["b"]]
    assert "requiredDuringSchedulingIgnoredDuringExecution" in affinity


def test_services_send_to_one_side_of_the_traffic_label() -> None:
    check_golden("services", children.service(OWNER), children.held_service(OWNER, "3f2a9c1b"))


@pytest.mark.parametrize("most", ["10%", 0])
def test_a_budget_counts_serving_pods(most: Literal["10%", 0]) -> None:
    found = children.budget(OWNER, Budget(most))

    check_schema(found)
    assert found["spec"] == {
        "maxUnavailable": most,
        "selector": {
            "matchLabels": {
                "inferfleet.dev/model": "smollm2",
                "inferfleet.dev/role": "server",
                "inferfleet.dev/traffic": "serving",
            }
        },
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def test_the_configuration_lies_in_a_map_that_nobody_may_change() -> None:
    check_golden("configmap", *children.config_maps(recorded(), OWNER))


def test_the_map_has_the_name_that_the_template_mounts() -> None:
    found = recorded()

    [volume] = [each for each in found.template["spec"]["volumes"] if each["name"] == "config"]
    [made] = children.config_maps(found, OWNER)
    assert volume["configMap"]["name"] == made["metadata"]["name"] == found.name


@pytest.mark.parametrize(("goes", "owners"), [(True, 1), (False, 0)])
def test_a_claim_outlives_its_model_unless_the_user_says_otherwise(goes: bool, owners: int) -> None:
    found = children.claim(WantedClaim(OWNER, "smollm2.weights", "200Gi", "shared", delete_with_model=goes))

    check_schema(found)
    assert len(found["metadata"].get("ownerReferences", [])) == owners
    assert found["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "200Gi"}},
        "storageClassName": "shared",
    }


def every_child() -> list[Json]:
    found = recorded(spec(template={"labels": {"example.com/a": "b"}}))
    return [
        children.replica_set(WantedSet(found, 1, Overlay("held", 1)), OWNER),
        children.service(OWNER),
        children.held_service(OWNER, "3f2a9c1b"),
        children.budget(OWNER, Budget("10%")),
        *children.config_maps(found, OWNER),
        record(WantedRecord(serving(), 1, "", ""), CONFIG),
    ]


@pytest.mark.parametrize("child", every_child(), ids=lambda child: child["kind"])
def test_every_child_has_our_labels_its_owner_and_nothing_of_another_tool(child: dict[str, Any]) -> None:
    metadata = child["metadata"]

    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "inferfleet"
    assert metadata["labels"]["inferfleet.dev/model"] == OWNER.name
    assert metadata["namespace"] == OWNER.namespace
    [owner] = metadata["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (OWNER.uid, True, False)
    keys = {*metadata["labels"], *metadata.get("annotations", {})}
    assert all(key.startswith("inferfleet.dev/") or key == "app.kubernetes.io/managed-by" for key in keys)
    assert "finalizers" not in metadata
