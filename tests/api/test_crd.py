"""The CRD itself: small, described, bounded, structural, and the same on every machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from api.judges import every_rule, root_schema
from api.paths import Path, fields, schema_at
from inferfleet.api.base import Frozen, Json
from inferfleet.api.crd import COLUMNS, crd

LARGEST = 100_000
STRUCTURAL = {
    "type",
    "description",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "default",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
}


def every_node(schema: Json, path: Path = ()) -> Iterator[tuple[str, Json]]:
    yield ".".join(map(str, path)), schema
    for name, child in schema.get("properties", {}).items():
        yield from every_node(child, (*path, name))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from every_node(schema[key], (*path, "*"))


NODES = dict(every_node(root_schema()))


def test_the_crd_fits_twice_into_the_annotation_that_kubectl_writes() -> None:
    assert len(json.dumps(crd(), separators=(",", ":"))) < LARGEST


def test_every_field_is_described_in_a_sentence_or_a_name() -> None:
    undescribed = [
        ".".join(map(str, path))
        for path in fields(root_schema())
        if path[-1] not in (0, "*") and path != ("metadata",) and not schema_at(root_schema(), path).get("description")
    ]

    assert undescribed == []


def test_the_schema_is_structural_and_holds_no_word_that_the_api_server_ignores() -> None:
    strange = {(path, key) for path, node in NODES.items() for key in node if key not in STRUCTURAL}

    assert strange == set()
    for path, node in NODES.items():
        assert ("type" in node) != ("x-kubernetes-int-or-string" in node), path


def test_every_value_is_bounded() -> None:
    bounds = {"string": "maxLength", "integer": "minimum", "array": "maxItems"}
    loose = [
        path
        for path, node in NODES.items()
        if path.startswith("spec.") and node.get("type") in bounds and "enum" not in node
        if bounds[node["type"]] not in node
    ]
    maps = [path for path, node in NODES.items() if "additionalProperties" in node and "maxProperties" not in node]

    assert [path for path in loose if not path.endswith("sources")] == []
    assert maps == []


def test_the_spec_has_no_default_and_the_status_has_the_one_that_tools_wait_for() -> None:
    with_default = {path: node["default"] for path, node in NODES.items() if "default" in node}

    assert with_default == {"status": {"observedGeneration": -1}}


def test_lists_say_how_two_appliers_share_them() -> None:
    lists = {path: node for path, node in NODES.items() if node.get("type") == "array"}

    assert lists
    assert all("x-kubernetes-list-type" in node for node in lists.values())
    assert NODES["spec.template.volumes"]["x-kubernetes-list-map-keys"] == ["name"]
    assert NODES["spec.gpu.products"]["x-kubernetes-list-type"] == "set"
    assert NODES["status.conditions"]["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column[0]))
def test_a_column_shows_a_field_that_there_is(column: tuple[str, str, str, int]) -> None:
    path = tuple(re.sub(r"\[.*?\]", ".0", column[2].removeprefix(".")).split("."))
    steps = tuple(int(step) if step == "0" else step for step in path)

    assert steps[0] == "metadata" or schema_at(root_schema(), steps)["type"] in ("string", "integer")


def test_whoever_scales_is_told_that_replicas_must_be_there_to_be_scaled() -> None:
    scale = crd()["spec"]["versions"][0]["subresources"]["scale"]

    assert scale["specReplicasPath"] == ".spec.replicas"
    assert "fail on a model that leaves it out" in NODES["spec.replicas"]["description"]


def test_every_rule_has_a_message_that_says_what_to_do() -> None:
    messages = [rule["message"] for node in NODES.values() for rule in node.get("x-kubernetes-validations", ())]

    assert len(messages) == len(list(every_rule(root_schema())))
    assert all(re.search(r"must|remove|set|exactly one|at most one|mend|choose|take", message) for message in messages)
    assert all("\n" not in message and len(message) <= 300 for message in messages)


def test_it_is_generated_alike_twice() -> None:
    assert json.dumps(crd()) == json.dumps(crd())


def test_a_model_of_the_same_name_elsewhere_takes_no_rule_away() -> None:
    before = crd()

    class Cache(Frozen):
        """Another cache."""

    assert Cache.rules == ()
    assert crd() == before
    assert len(NODES["spec.cache"]["x-kubernetes-validations"]) == 3
