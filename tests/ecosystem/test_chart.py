"""The chart renders, is linted strictly, refuses what it does not know, and writes a configuration that is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml
from helm_python import lint
from helm_python.errors import HelmError, HelmValuesError
from hypothesis import given, settings
from hypothesis import strategies as st

from ecosystem.chart import CASES, DIRECTORY, ROOT, chart, config_of, files, of_kind, render, the_only
from inferfleet import __version__
from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig

pytestmark = pytest.mark.ecosystem

KUBERNETES = ("1.30", "1.36")
LONGEST_NAME = 63


def schema() -> Json:
    found: Json = json.loads((DIRECTORY / "values.schema.json").read_text())
    return found


def read(objects: list[Json]) -> FleetConfig:
    return FleetConfig.model_validate_json(json.dumps(config_of(objects)))


@pytest.mark.parametrize("case", CASES)
def test_the_operator_can_read_what_the_chart_writes(case: str) -> None:
    objects = render(CASES[case])

    config = read(objects)

    assert config.operator_labels.items() <= _labels_of_pods(objects).items()
    assert config.namespace == the_only(objects, "Deployment")["metadata"]["namespace"]


def _labels_of_pods(objects: list[Json]) -> dict[str, str]:
    found: dict[str, str] = the_only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    return found


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", CASES)
def test_every_object_is_one_that_kubernetes_knows(case: str, version: str) -> None:
    objects = render(CASES[case])

    assert [problem for found in objects for problem in unknown(found, version)] == []
    assert {found["kind"] for found in objects} >= {"Deployment", "ConfigMap"}


def test_an_object_that_kubernetes_does_not_know_is_noticed() -> None:
    [found] = of_kind(render({}), "Deployment")
    found["spec"]["replicaas"] = 2

    assert "replicaas" in "".join(unknown(found, KUBERNETES[-1]))


def unknown(found: Json, version: str) -> list[str]:
    """Say what a version of Kubernetes does not know in an object."""
    try:
        kubernetes_validate.validate(found, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [str(error)]
    return []


@pytest.mark.parametrize("case", CASES)
def test_the_linter_has_nothing_to_say_but_that_an_icon_would_be_nice(case: str) -> None:
    said = lint(str(DIRECTORY), CASES[case], strict=True)["messages"]

    assert [message["error"] for message in said] == ["icon is recommended"]


@pytest.mark.parametrize("case", CASES)
def test_rendered_twice_it_is_the_same_bytes(case: str) -> None:
    assert files(CASES[case]) == files(CASES[case])


@pytest.mark.parametrize("case", CASES)
def test_every_name_is_short_enough_and_every_object_is_where_it_belongs(case: str) -> None:
    for found in of_kind(render(CASES[case]), "Deployment", "Service", "ConfigMap", "ServiceAccount", "NetworkPolicy"):
        assert len(found["metadata"]["name"]) <= LONGEST_NAME
        assert found["metadata"]["namespace"] == CASES[case].get("namespaceOverride", "inferfleet-system")


@pytest.mark.parametrize(("name", "namespace"), [("1", "123"), ("true", "null"), ("a" * 53, "b" * 63)])
def test_a_name_that_yaml_would_read_as_something_else_stays_text(name: str, namespace: str) -> None:
    objects = render({"networkPolicy": {"enabled": True}, "watchNamespaces": ["7", "on"]}, name, namespace)

    for found in objects:
        assert isinstance(found["metadata"]["name"], str)
        assert isinstance(found["metadata"].get("namespace", ""), str)
    assert read(objects).namespace == namespace
    assert read(objects).watch_namespaces == ("7", "on")


def test_the_chart_renders_the_crd_that_the_models_make() -> None:
    generated = yaml.safe_load((ROOT / "crds" / "modeldeployments.inferfleet.dev.yaml").read_text())

    rendered = the_only(render({}), "CustomResourceDefinition")

    assert rendered["spec"] == generated["spec"]
    assert rendered["metadata"]["name"] == generated["metadata"]["name"]


def test_braces_in_a_description_are_text_to_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    from tools import chart_files

    monkeypatch.setattr(chart_files, "crd", _crd_with_braces)

    assert "description: '{{ \"{{\" }} .Values.secret }}'" in chart_files.crd_template()


def _crd_with_braces() -> Json:
    spec = {"description": "{{ .Values.secret }}"}
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": spec}


def test_the_chart_says_the_version_of_the_package() -> None:
    assert chart().metadata["appVersion"] == __version__
    assert chart().metadata["kubeVersion"] == ">=1.30.0-0"


def test_an_image_is_named_by_registry_repository_tag_and_digest() -> None:
    digest = "sha256:" + "a" * 64
    values = {"image": {"registry": "r.example.com:5000", "repository": "x/y", "tag": "v1", "digest": digest}}

    objects = render(values)

    image = f"r.example.com:5000/x/y:v1@{digest}"
    assert the_only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"] == image
    assert read(objects).images.operator == image


def test_one_switch_moves_every_image_to_a_mirror() -> None:
    config = read(render({"global": {"image": {"registry": "mirror.example.com"}}}))

    assert config.images.operator.startswith("mirror.example.com/inferfleet/inferfleet:")
    assert config.images.triton.startswith("mirror.example.com/nvidia/tritonserver:")


def test_an_image_without_registry_has_no_slash_before_it() -> None:
    config = read(render({"image": {"registry": "", "repository": "local.example.com/inferfleet", "tag": "dev"}}))

    assert config.images.operator == "local.example.com/inferfleet:dev"


def test_a_changed_value_restarts_the_operator_and_another_one_does_not() -> None:
    def checksum(values: Json) -> str:
        found: str = the_only(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"][
            "checksum/config"
        ]
        return found

    assert checksum({"cache": {"size": "1Gi"}}) != checksum({})
    assert checksum({"replicas": 3}) == checksum({})


def test_the_user_of_a_pod_may_be_left_to_the_platform() -> None:
    assert read(render({})).run_as_user == 10001
    assert read(render({"runAsUser": None})).run_as_user is None


def test_every_value_is_described_and_no_object_takes_an_unknown_key() -> None:
    root = schema()
    for path, node in _objects(root, root, "values"):
        assert node.get("additionalProperties") is (path == "values.global"), path
        for key, child in node["properties"].items():
            described = child.get("description") or _resolve(root, child).get("description")
            assert described, f"{path}.{key}"


def _objects(root: Json, node: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Yield every object of the schema that has keys of its own."""
    node = _resolve(root, node)
    if "properties" in node:
        yield path, node
        for key, child in node["properties"].items():
            yield from _objects(root, child, f"{path}.{key}")
    if isinstance(node.get("items"), dict):
        yield from _objects(root, node["items"], f"{path}[]")


def _resolve(root: Json, node: Json) -> Json:
    found: Json = root["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return found


def test_values_yaml_holds_every_key_of_the_schema_under_its_description() -> None:
    root, values = schema(), yaml.safe_load((DIRECTORY / "values.yaml").read_text())
    lines = (DIRECTORY / "values.yaml").read_text().splitlines()

    def compare(node: Json, found: Json, depth: int) -> None:
        properties = _resolve(root, node)["properties"]
        assert list(found) == list(properties)
        for key, value in found.items():
            places = [index for index, line in enumerate(lines) if line.startswith(f"{'  ' * depth}{key}:")]
            assert places
            assert all(lines[index - 1].lstrip().startswith("# ") for index in places), key
            if "properties" in _resolve(root, properties[key]):
                compare(properties[key], value, depth + 1)

    compare(root, values, 0)


REFUSED: tuple[Json, ...] = (
    {"imagee": {}},
    {"image": {"tagg": "x"}},
    {"image": {"digest": "sha256:abc"}},
    {"image": {"pullPolicy": "Sometimes"}},
    {"image": {"repository": "x y"}},
    {"image": {"repository": "https://hub.example.com"}},
    {"replicas": 0},
    {"replicas": "2"},
    {"logLevel": "trace"},
    {"classes": [{"name": "x", "products": [], "memoryMib": 1024}]},
    {"classes": [{"name": "x", "products": ["y"]}]},
    {"classes": [{"name": "x", "products": ["y"], "memoryMib": 1}]},
    {"classes": [{"name": "x y", "products": ["y"], "memoryMib": 1024}]},
    {"watchNamespaces": ["Team A"]},
    {"watchNamespaces": "team-a"},
    {"cache": {"size": "lots"}},
    {"cache": {"sharedStorageClass": "nfs\n  evil: true"}},
    {"fetch": {"hubEndpoint": "file:///etc"}},
    {"fetch": {"egress": [{"cidr": "everywhere"}]}},
    {"fetch": {"env": {"a-b": "x"}}},
    {"apiServer": {"cidrs": ["10.0.0.1"]}},
    {"runAsUser": 0},
    {"rbac": {"create": "yes"}},
    {"engines": {"triton": {"options": {"http_port": "1"}}}},
    {"engines": {"vllm": {}}},
    {"engines": {"triton": {"image": {"tag": ""}}}},
    {"serviceAccount": {"annotations": {"a": 1}}},
    {"fullnameOverride": "Upper"},
    {"namespaceOverride": "a/b"},
    {"crds": None},
    {"apiServer": {"cidrs": None}},
    {"resources": {"limits": None}},
)


@pytest.mark.parametrize("values", REFUSED, ids=json.dumps)
def test_a_wrong_value_is_refused_before_anything_is_made(values: Json) -> None:
    with pytest.raises(HelmValuesError):
        render(values)


strange = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**40),
    st.text(max_size=20),
    st.sampled_from(["10.0.0.0/8", "10Gi", "L4", "a", "https://hub.example.com", "{{ .Values }}", "x\n  y: z"]),
    st.lists(st.text(max_size=5), max_size=2),
    st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=2),
)


def _paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _paths(child, (*path, key))
    elif path:
        yield path


PATHS = sorted(_paths(yaml.safe_load((DIRECTORY / "values.yaml").read_text())))


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(PATHS), value=strange)
def test_whatever_a_value_is_changed_to_it_is_refused_or_read(path: tuple[str, ...], value: Any) -> None:
    values: Any = value
    for key in reversed(path):
        values = {key: values}

    try:
        objects = render(values)
    except HelmError:
        return
    read(objects)
    for found in objects:
        assert found["kind"]
        assert len(found["metadata"]["name"]) <= 253


def test_there_is_no_hook_no_lookup_and_no_chance_in_a_template() -> None:
    for path in (DIRECTORY / "templates").rglob("*"):
        if path.is_file() and "crds" not in path.parts:
            text = path.read_text()
            for word in ("helm.sh/hook", "lookup ", "rand", "uuidv4", "now", "genCA", "Capabilities"):
                assert word not in text, f"{path.name}: {word}"


def test_the_notes_end_with_the_next_command() -> None:
    notes = files({})["inferfleet/templates/NOTES.txt"].rstrip().splitlines()

    assert notes[-1].strip().startswith("kubectl apply -f")
