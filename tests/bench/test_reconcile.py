"""The benchmark of reconciling runs whole, with a few models: it measures, and what no busy machine changes holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.bench.phases import Size
from e2e.bench.process import Scrape
from e2e.bench.reconcile import main
from e2e.bench.report import beat_figure

CPU = ("CPU of a beat", "event to first write")
"""Gates that a busy machine may miss."""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_run_with_five_models_measures_everything_and_writes_nothing_while_idle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written, drawn = tmp_path / "figures.json", tmp_path / "figures.svg"

    status = main(["--models", "5", "--idle", "1", "--json", str(written), "--plot", str(drawn)])

    found = json.loads(written.read_text("utf-8"))
    told = {each["name"]: each for each in found["figures"]}
    failed = [name for name, each in told.items() if each["passed"] is False]
    assert [name for name in failed if not any(part in name for part in CPU)] == []
    assert status == (1 if failed else 0)
    assert [phase["name"] for phase in found["phases"]] == [
        "create", "idle", "change", "waiting", "resync", "restart", "delete",
    ]  # fmt: skip
    assert told["create: children of a model"]["value"] == 9
    assert told["create: writes per model"]["value"] >= 9
    assert [(each["group"], each["children"]) for each in found["beats"]] == [
        ("waiting", 5), ("plain", 9), ("changed", 10),
    ]  # fmt: skip
    assert all(each["beats"] >= 50 for each in found["beats"])
    assert len(found["delays"]["change"]) == 1
    assert all(phase["cpu_seconds"] > 0 for phase in found["phases"] if phase["name"] in ("create", "resync"))
    table = capsys.readouterr().out
    assert "idle: writes in 1 s" in table
    assert "KubeAI 2f32ef4" in table
    assert drawn.read_text("utf-8").count("<circle") == 3


def test_a_quantile_is_estimated_between_the_bounds_of_its_bucket() -> None:
    before = Scrape(1.0, {0.1: 1.0, 0.2: 1.0, float("inf"): 1.0}, 0.0)
    after = Scrape(5.0, {0.1: 1.0, 0.2: 5.0, float("inf"): 5.0}, 0.0)

    assert after.quantile(before, 0.5) == pytest.approx(150.0)
    assert before.quantile(before, 0.5) == 0.0


def test_each_further_child_allows_a_beat_half_a_millisecond() -> None:
    at_most = [beat_figure(Size("plain", children, cpu_ms, 300)) for children, cpu_ms in ((1, 2.0), (9, 6.0))]
    above = [beat_figure(Size("plain", children, cpu_ms, 300)) for children, cpu_ms in ((1, 2.1), (9, 6.1))]

    assert [each.gate for each in at_most] == [2.0, 6.0]
    assert [each.passed for each in at_most] == [True, True]
    assert [each.passed for each in above] == [False, False]
