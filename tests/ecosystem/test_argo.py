"""Argo CD: what we write never makes an application OutOfSync, and health scripts run here as they run there."""

from __future__ import annotations

from pathlib import Path

import pytest
from lupa import luajit21

from api.objects import GOOD, Good
from ecosystem.argo_diff import out_of_sync
from ecosystem.argo_health import failures, health
from ecosystem.statuses import ROWS, Row
from inferfleet.api.base import Json

pytestmark = pytest.mark.ecosystem

GIT: Json = {
    "metadata": {"name": "chat"},
    "spec": {
        "model": {"source": "hf://org/model"},
        "gpu": {"products": ["L4"]},
        "template": {"tolerations": [{"key": "gpu", "operator": "Exists"}]},
    },
}


def live(**spec: object) -> Json:
    """Write what the cluster holds: Git's object, with these fields besides or instead."""
    return {**GIT, "spec": {**GIT["spec"], **spec}}


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.title)
def test_an_object_that_the_operator_works_on_stays_synced(good: Good) -> None:
    server_side = {"uid": "1", "generation": 3, "resourceVersion": "9", "managedFields": []}
    held = {
        **good.raw,
        "metadata": {**good.raw["metadata"], **server_side},
        "status": ROWS[0].object["status"],
    }

    assert not out_of_sync(good.raw, good.raw, held)


@pytest.mark.parametrize(
    ("title", "held", "expected"),
    [
        ("an annotation and a finalizer", {**GIT, "metadata": {"name": "chat", "annotations": {"a": "b"}}}, False),
        ("a field that Git does not hold", live(replicas=4), False),
        (
            "a key in an item of a list",
            live(template={"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]}),
            False,
        ),
        ("another value of a field that Git holds", live(model={"source": "hf://org/other"}), True),
        ("an item more in a list of Git", live(gpu={"products": ["L4", "L40S"]}), True),
        ("a field of Git that is gone", {**GIT, "spec": {"model": GIT["spec"]["model"]}}, True),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_the_rules_of_the_diff(title: str, held: Json, expected: bool) -> None:
    assert out_of_sync(GIT, GIT, held) is expected, title


def test_a_field_that_git_dropped_is_taken_away() -> None:
    applied = {**GIT, "spec": {**GIT["spec"], "replicas": 3}}

    assert out_of_sync(applied, GIT, applied)
    assert not out_of_sync(applied, GIT, GIT)


SCRIPT = """
local found = { status = "Progressing", message = "" }
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return found
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    return { status = "Degraded", message = condition.message }
  end
  if condition.type == "Reconciling" and condition.status == "True" then
    return { status = "Progressing", message = condition.message }
  end
  if condition.type == "Ready" and condition.status == "True" then
    found = { status = "Healthy", message = condition.message }
  end
end
return found
"""
"""The rules that our conditions are made for, as the shortest script that reads them."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_conditions_are_enough_for_a_short_script_with_closed_libraries(row: Row) -> None:
    assert health(SCRIPT, row.object)["status"] == row.argo


def test_an_edit_that_nobody_has_looked_at_is_no_health() -> None:
    edited = ROWS[0].object
    edited["metadata"]["generation"] += 1

    assert health(SCRIPT, edited)["status"] == "Progressing"


@pytest.mark.parametrize("script", ['return { status = string.upper("a") }', "return { status = obj.kind:upper() }"])
def test_a_script_in_argocd_cm_has_no_string_library_and_a_built_in_one_has(script: str) -> None:
    assert health(script, {"kind": "a"}, open_libraries=True) == {"status": "A"}
    with pytest.raises(luajit21.LuaError):
        health(script, {"kind": "a"})


def test_a_script_may_use_goto_and_may_say_nothing() -> None:
    assert health("goto done ::done:: return nil", {}) == {}


SUITE = """
tests:
- healthStatus: {status: Healthy, message: fine}
  inputPath: testdata/a.yaml
- HealthStatus: {status: Degraded, message: ""}
  inputPath: testdata/a.yaml
"""


def test_a_suite_in_argo_cds_own_format_is_read_as_there(tmp_path: Path) -> None:
    (tmp_path / "testdata").mkdir()
    (tmp_path / "health_test.yaml").write_text(SUITE)
    (tmp_path / "testdata" / "a.yaml").write_text("status: {at: 2026-11-25T10:00:00Z, n: 1}\n")
    (tmp_path / "health.lua").write_text('if obj.status.at == "2026-11-25T10:00:00Z" and obj.status.n == 1 then '
                                         'return { status = "Healthy", message = "fine" } end')  # fmt: skip

    found = list(failures(tmp_path, open_libraries=False))

    assert [line.split(": ", 1)[1] for line in found] == [
        "status is 'Healthy', not 'Degraded'",
        "message is 'fine', not ''",
    ]


def test_a_script_that_fails_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "health_test.yaml").write_text("tests: [{inputPath: a.yaml, healthStatus: {status: Healthy}}]")
    (tmp_path / "a.yaml").write_text("{}")
    (tmp_path / "health.lua").write_text("return obj.status.phase")

    assert any("'error'" in line for line in failures(tmp_path, open_libraries=True))
