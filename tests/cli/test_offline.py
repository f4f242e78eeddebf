"""`inferfleet crds`, `lint` and `render`: what works without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from inferfleet.api.base import Json
from inferfleet.cli.offline import lint_file, print_crds, render_file

MODEL = """
apiVersion: inferfleet.dev/v1alpha1
kind: ModelDeployment
metadata: {name: m, namespace: team}
spec:
  model: {source: "hf://org/repository"}
  gpu: {count: 2}
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
    assert said.rstrip().endswith("1 problem found.")


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
