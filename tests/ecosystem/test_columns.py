"""`kubectl get mdep` says in one line what a model is, how it is, and why."""

from __future__ import annotations

import pytest

from ecosystem.columns import cell
from ecosystem.statuses import ROWS, Row
from inferfleet.api.base import Json
from inferfleet.api.crd import COLUMNS
from inferfleet.api.status import ModelDeploymentStatus

PATHS = {name: path for name, _, path, _ in COLUMNS}


def with_status(**more: object) -> Json:
    found = ROWS[0].object
    return {**found, "status": {**found["status"], **more}}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_every_situation_shows_its_state_and_its_reason(row: Row) -> None:
    ready = next(found for found in row.object["status"]["conditions"] if found["type"] == "Ready")

    assert cell(PATHS["Ready"], row.object) == ready["status"]
    assert cell(PATHS["Reason"], row.object) == ready["reason"]
    assert cell(PATHS["Model"], row.object) == "hf://org/model"


def test_replicas_and_gpus_are_texts_that_fit_a_column() -> None:
    status = ModelDeploymentStatus.model_validate_json(
        '{"summary": {"replicas": "2/3", "gpus": "2xH100-80GB"}, "endpoint": "http://chat.team.svc:8000",'
        ' "plan": {"revision": "3f2a9c1b", "engine": "triton"}}'
    )

    found = with_status(**status.model_dump(mode="json", by_alias=True, exclude_unset=True))

    assert cell(PATHS["Replicas"], found) == "2/3"
    assert cell(PATHS["GPUs"], found) == "2xH100-80GB"
    assert cell(PATHS["URL"], found) == "http://chat.team.svc:8000"
    assert cell(PATHS["Revision"], found) == "3f2a9c1b"
    assert cell(PATHS["Engine"], found) == "triton"


def test_an_object_without_status_has_empty_cells() -> None:
    assert cell(PATHS["Ready"], {"metadata": {}, "spec": {}, "status": {"observedGeneration": -1}}) == ""


def test_the_first_six_columns_are_shown_and_the_others_with_wide() -> None:
    assert [name for name, _, _, priority in COLUMNS if not priority] == [
        "Model",
        "Ready",
        "Reason",
        "Replicas",
        "GPUs",
        "Age",
    ]
