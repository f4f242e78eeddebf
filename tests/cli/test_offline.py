"""`inferfleet crds`, `lint` and `render`: what works without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from helm_python import Chart

from inferfleet.api.base import Json
from inferfleet.cli.offline import lint_file, print_crds, render_file
from tools.chart_values import CLASSES

MODEL = """
apiVersion: inferfleet.dev/v1alpha1
kind: ModelDeployment
metadata: {name: m, namespace: team}
spec:
  model: {source: "hf://org/repository"}
  gpu: {count: 2}
"""

SHARED = """
namespace: inferfleet-system
classes: [{name: H100-80GB, products: [NVIDIA-H100-80GB-HBM3], memoryMib: 81559}]
images: {operator: "registry.test/inferfleet:1", triton: "registry.test/triton:1"}
cache: {sharedStorageClass: rwx}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "model.yaml"
    found.write_text(MODEL)
    return found


def shown(capsys: pytest.CaptureFixture[str]) -> list[Json]:
    return list(yaml.safe_load_all(capsys.readouterr().out))


def test_rendered_is_everything_that_would_be_made_once_and_in_the_order_of_writing(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render_file(file, None) == 0
    found = [(each["kind"], each["metadata"]["name"]) for each in shown(capsys)]

    assert len(set(found)) == len(found)
    kinds = [kind for kind, _ in found]
    assert kinds[0] == "NetworkPolicy"
    assert kinds.index("Job") < kinds.index("ControllerRevision") < kinds.index("ReplicaSet")
    assert {"Service", "PodDisruptionBudget"} < set(kinds)


def test_a_rendered_pod_asks_for_the_gpus(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    render_file(file, None)
    [made] = [each for each in shown(capsys) if each["kind"] == "ReplicaSet"]

    [server] = made["spec"]["template"]["spec"]["containers"]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert made["metadata"]["namespace"] == "team"


def test_what_is_assumed_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    render_file(file, None)

    said = capsys.readouterr().out
    assert "# m: assumed are a free node with 8 x H100-80GB" in said
    assert "with the model m and its config.pbtxt" in said


def test_a_model_that_fits_no_node_is_rendered_without_pods(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(MODEL.replace("count: 2", "count: 16"))

    assert render_file(file, None) == 0
    said = capsys.readouterr().out
    assert "# No replica would run: Needs 16 x H100-80GB on one node" in said
    assert not {"Job", "ReplicaSet"} & {each["kind"] for each in yaml.safe_load_all(said)}


def test_lint_names_every_problem_with_its_field(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(MODEL.replace("count: 2", "count: 2, products: [B300]").replace("hf://", "ftp://"))

    assert lint_file(file, None) == 1
    said = capsys.readouterr().out
    assert "spec.model.source" in said
    assert "spec.gpu.products.0" in said
    assert said.splitlines()[-1].endswith("2 problems found.")


def test_a_refused_model_is_not_rendered(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(MODEL.replace("count: 2", "count: 2, products: [B300]"))

    assert render_file(file, None) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert "B300" in found.err


def test_a_good_file_has_no_problem(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint_file(file, None) == 0
    assert "no problem found" in capsys.readouterr().out


def test_the_definition_of_the_kind_is_what_the_chart_installs(capsys: pytest.CaptureFixture[str]) -> None:
    print_crds()
    installed = Path("crds/modeldeployments.inferfleet.dev.yaml").read_text("utf-8")

    assert shown(capsys) == list(yaml.safe_load_all(installed))


@pytest.mark.parametrize("found", CLASSES, ids=lambda found: found.name)
def test_without_a_configuration_the_classes_are_the_charts(found: object, file: Path) -> None:
    file.write_text(MODEL.replace("count: 2", f"count: 2, products: [{getattr(found, 'name', '')}]"))

    assert lint_file(file, None) == 0


def test_without_a_configuration_the_images_are_the_charts(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chart = Chart.load("charts/inferfleet").render({}, name="inferfleet", namespace="inferfleet-system")
    config = yaml.safe_load(yaml.safe_load(chart["inferfleet/templates/configmap.yaml"])["data"]["config.yaml"])

    render_file(file, None)
    [made] = [each for each in shown(capsys) if each["kind"] == "ReplicaSet"]

    pod = made["spec"]["template"]["spec"]
    images = {each["image"] for each in (*pod["initContainers"], *pod["containers"])}
    assert images == {config["images"]["operator"], config["images"]["triton"]}


def test_what_depends_on_the_configuration_says_where_it_came_from(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(MODEL + "  cache: {type: PVC}\n")

    assert lint_file(file, None) == 1
    said = capsys.readouterr().out
    assert "this cluster" not in said
    assert "cache.sharedStorageClass of the chart" in " ".join(said.split())
    assert "--config" in said
    assert "get configmap inferfleet" in said

    own = file.with_name("config.yaml")
    own.write_text(SHARED)
    assert lint_file(file, own) == 0


def test_with_a_configuration_nobody_is_told_to_give_one(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = file.with_name("config.yaml")
    own.write_text(SHARED)
    file.write_text(MODEL.replace("count: 2", "count: 2, products: [B300]"))

    assert lint_file(file, own) == 1
    assert "--config" not in capsys.readouterr().out


WRONG = """
apiVersion: inferfleet.dev/v1alpha1
kind: ModelDeployment
metadata: {name: Not_A_Name}
spec:
  model: {source: "ftp://org/repository", secretRef: {}}
  gpu: {count: 2, products: [B300]}
  replicas: -1
  rollout: {strategy: Sideways, drainTimeoutSeconds: never}
  template: {nodeSelector: {"a.b/c d": "x"}}
  cache: {type: PVC}
  nonsense: true
"""


def test_no_problem_hides_another(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(WRONG)

    assert lint_file(file, None) == 1
    said = capsys.readouterr().out
    fields = [line.split(": ")[2] for line in said.splitlines() if line.startswith(f"{file}: Not_A_Name: ")]
    assert sorted(fields) == [
        "metadata.name",
        "spec.cache.type",
        "spec.gpu.products.0",
        "spec.model.secretRef.name",
        "spec.model.source",
        "spec.nonsense",
        "spec.replicas",
        "spec.rollout.drainTimeoutSeconds",
        "spec.rollout.strategy",
        "spec.template.nodeSelector.a.b/c d",
    ]
    assert "10 problems found." in said


@pytest.mark.parametrize("spec", ["", "spec: 7", "spec: {}", "spec: {model: []}", "spec: {model: {}}"])
def test_a_spec_that_is_none_is_one_problem(spec: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"kind: ModelDeployment\nmetadata: {{name: m}}\n{spec}\n")

    assert lint_file(file, None) == 1
    assert "1 problem found." in capsys.readouterr().out


@pytest.mark.parametrize("metadata", ["", "metadata: []", "metadata: {name: [m]}"])
def test_a_model_without_a_name_is_one_problem(metadata: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"kind: ModelDeployment\n{metadata}\nspec: {{model: {{source: 'hf://a/b'}}}}\n")

    assert lint_file(file, None) == 1
    assert "1 problem found." in capsys.readouterr().out
