"""ControllerRevisions: what is read is what was written, and a lost one comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.api.base import Json
from inferfleet.api.parse import parse_spec
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.errors import SpecError
from inferfleet.plan.desired import CachePlan, Overlay, WantedRecord, WantedSet
from inferfleet.render import children
from inferfleet.render.record import LARGEST_NOTE, is_outdated, note, read_record, rebuild, record
from inferfleet.render.template import pod_template
from render.specs import patiently, specs
from render.values import CONFIG, OWNER, check_golden, config, model, repository, serving, spec

BARE = repository(model(config=None, files=("model.py",)), model("other", probe="{}"))


def written(drawn: tuple[ModelDeploymentSpec, CachePlan] | None = None, number: int = 3) -> Json:
    wanted, cache = drawn or (None, None)
    return record(WantedRecord(serving(wanted, cache, BARE), number, "2026-11-25T12:00:00Z", "fits"), CONFIG)


def as_live(manifest: Json) -> Json:
    return manifest | {"metadata": manifest["metadata"] | {"uid": "u-1", "creationTimestamp": "2026-11-25T12:00:01Z"}}


def test_a_record() -> None:
    check_golden("controllerrevision", written())


@patiently
@given(drawn=specs(), number=st.integers(1, 1 << 30))
def test_what_is_read_is_what_was_written(drawn: tuple[ModelDeploymentSpec, CachePlan], number: int) -> None:
    plan = serving(*drawn, BARE)

    found = read_record(as_live(written(drawn, number)))

    assert (found.name, found.uid, found.number) == (f"smollm2-3f2a9c1b-{plan.shape.short}", "u-1", number)
    assert (found.revision, found.shape, found.products) == (plan.revision, plan.shape, plan.products)
    assert (found.commit, found.model, found.image) == (plan.repository.commit, plan.model, plan.image)
    assert found.template == pod_template(plan, CONFIG)
    assert list(found.config_maps) == [""]
    assert CachePlan(**found.cache) == plan.cache
    assert (found.restarted, found.why) == ("2026-11-25T12:00:00Z", "fits")
    assert parse_spec({"metadata": {"name": OWNER.name}, "spec": found.spec}) == plan.spec


def test_marks_are_read_from_annotations_and_are_no_part_of_the_data() -> None:
    found = written()
    found["metadata"]["annotations"] = {"inferfleet.dev/proven": "2026-11-25T12:00:05Z", "inferfleet.dev/failed": "x"}

    read = read_record(found)

    assert (read.proven, read.good, read.failed) == ("2026-11-25T12:00:05Z", "", "x")


def test_texts_are_left_out_but_not_whether_there_was_one() -> None:
    found = repository(model(config="x" * 1000, probe='{"inputs": []}'), model("b", config="y", probe="{}"))
    kept = read_record(record(WantedRecord(serving(found=found), 1, "", ""), CONFIG)).repository

    assert [each.config for each in kept.models] == ["", ""]
    assert [each.probe for each in kept.models] == ['{"inputs": []}', None]
    assert kept.total_bytes == found.total_bytes


def test_a_record_that_no_api_server_would_take_is_refused_with_what_to_do() -> None:
    environment = [{"name": f"V{index}", "value": "x" * 4000} for index in range(64)]
    volumes = [
        {"name": f"v{index}", "csi": {"driver": "d", "volumeAttributes": {f"k{key}": "x" * 4000 for key in range(16)}}}
        for index in range(16)
    ]
    huge = spec(template={"server": {"env": environment}, "volumes": volumes})

    with pytest.raises(SpecError, match=r"900000 are allowed\. Move long values"):
        record(WantedRecord(serving(huge), 1, "", ""), CONFIG)


@pytest.mark.parametrize(
    "change",
    [
        {"data": None},
        {"data": {}},
        {"data": {"shape": 3}},
        {"revision": "x"},
        {"metadata": {}},
        {"data": []},
    ],
)
def test_what_is_no_record_of_ours_is_a_value_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no revision of ours"):
        read_record(written() | change)


def test_a_field_of_a_newer_operator_is_left_alone() -> None:
    found = written()
    found["data"]["fromTheFuture"] = 1

    assert read_record(found).model == "smollm2"


@patiently
@given(drawn=specs(), traffic=st.sampled_from(["held", "serving"]))
def test_a_lost_record_is_made_again_from_its_replica_set(
    drawn: tuple[ModelDeploymentSpec, CachePlan], traffic: Any
) -> None:
    lost = read_record(as_live(written(drawn)))
    live = as_live(children.replica_set(WantedSet(lost, 2, Overlay(traffic, 77, "high", ("node1",))), OWNER))
    foreign = {"metadata": {"name": "other"}, "data": {"a": "b"}}

    found = read_record(as_live(rebuild(live, [*children.config_maps(lost, OWNER), foreign], OWNER)))

    assert found.proven == ("2026-11-25T12:00:01Z" if traffic == "serving" else "")
    again = children.replica_set(WantedSet(found, 2, Overlay(traffic, 77, "high", ("node1",))), OWNER)
    assert again["spec"] == live["spec"]
    assert again["metadata"]["annotations"] == live["metadata"]["annotations"]
    assert found.config_maps == lost.config_maps
    assert (found.number, found.spec, found.repository) == (lost.number, lost.spec, lost.repository)


def test_a_replica_set_without_a_note_cannot_be_recorded_again() -> None:
    live = as_live(children.replica_set(WantedSet(read_record(written()), 1, Overlay("held", 1)), OWNER))
    live["metadata"]["annotations"] = {"inferfleet.dev/recorded": "{}"}

    with pytest.raises(ValueError, match="no record of ours"):
        rebuild(live, [], OWNER)


def test_a_note_stays_below_what_annotations_may_hold() -> None:
    environment = [{"name": f"V{index}", "value": "x" * 4000} for index in range(64)]
    found = read_record(
        record(WantedRecord(serving(spec(template={"server": {"env": environment}})), 1, "", ""), CONFIG)
    )

    assert len(note(found)) < LARGEST_NOTE
    live = as_live(children.replica_set(WantedSet(found, 1, Overlay("held", 1)), OWNER))
    assert read_record(as_live(rebuild(live, [], OWNER))).commit == found.commit


@pytest.mark.parametrize(
    ("changed", "outdated"),
    [
        ({}, False),
        ({"images": {"operator": "registry.example/inferfleet:2.0", "triton": CONFIG.images.triton}}, True),
        ({"images": {"operator": CONFIG.images.operator, "triton": "registry.example/tritonserver:27.01-py3"}}, True),
        ({"namespace": "elsewhere", "cache": {"size": "1Gi"}}, False),
    ],
)
def test_a_newer_operator_or_default_makes_a_revision_outdated(changed: dict[str, Any], outdated: bool) -> None:
    found = read_record(written())

    assert is_outdated(found, OWNER, config(**changed)) is outdated


def test_an_image_of_the_users_own_is_never_outdated_by_the_charts() -> None:
    own = spec(engine={"image": "registry.example/own:1"})
    found = read_record(record(WantedRecord(serving(own), 1, "", ""), CONFIG))
    newer = {"operator": CONFIG.images.operator, "triton": "registry.example/tritonserver:27.01-py3"}

    assert not is_outdated(found, OWNER, config(images=newer))
