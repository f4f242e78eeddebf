"""The reference pages leave nothing out: fields, values, reasons, metrics and rights."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.judges import root_schema
from api.paths import fields
from inferfleet.telemetry.metrics import Metrics
from tools import reference_api, reference_chart, reference_cli, reference_code
from tools.chart_values import Values
from tools.reasons import EXPLAINED, SECTIONS
from tools.reasons_in_code import reasons


def test_the_api_page_has_every_field_of_spec_and_status() -> None:
    page = reference_api.api_page()
    spec, status = (root_schema()["properties"][name] for name in ("spec", "status"))

    names = {str(path[-1]) for part in (spec, status) for path in fields(part) if path[-1] not in (0, "*")}
    # A schema inside a map's values is a type there, and no field of its own.
    missing = {name for name in names if f".{name}`" not in page and f"`{name}`" not in page}
    assert missing == set()


def test_the_api_page_has_every_rule() -> None:
    page = reference_api.api_page()

    for rule in root_schema()["properties"]["spec"]["properties"]["cache"]["x-kubernetes-validations"]:
        assert f"- {rule['message']}" in page
    assert "Default: `540`" in page
    assert "**Required.** Where the weights come from" in page


def test_the_page_of_values_has_every_value() -> None:
    page = reference_chart.values_page()

    for field in Values.model_fields.values():
        assert f"| `{field.alias}" in page
    assert "`engines.triton.image.tag`" in page
    assert "`classes[].memoryMib`" in page


def test_the_page_of_permissions_has_every_rule_and_why_it_is_needed() -> None:
    page = reference_chart.permissions_page()

    assert set(reference_chart.WHY) == {row.split("`")[3] for row in page.splitlines() if row.startswith("| `")}


def test_every_metric_that_the_operator_registers_is_on_its_page() -> None:
    page = reference_code.metrics_page()
    families = [(family.name, family.type) for family in Metrics().registry.collect()]
    served = [f"{name}_total" if kind == "counter" else name for name, kind in families]

    assert len(served) > 6
    assert [name for name in served if f"`{name}`" not in page] == []


def test_every_reason_is_explained_once_and_none_that_is_never_said() -> None:
    assert len(EXPLAINED) == sum(len(section) for section in SECTIONS.values())
    assert reasons(reference_code.PACKAGE) == set(EXPLAINED)


def test_a_reason_that_nobody_explained_stops_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_code, "EXPLAINED", {key: EXPLAINED[key] for key in EXPLAINED if key != "DiskFull"})

    with pytest.raises(ValueError, match=r"explain in tools/reasons\.py: DiskFull"):
        reference_code.reasons_page()


def test_an_explanation_that_nobody_needs_stops_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_code, "EXPLAINED", {**EXPLAINED, "LongGone": "It was once."})

    with pytest.raises(ValueError, match="LongGone"):
        reference_code.reasons_page()


def test_a_reason_is_found_wherever_one_can_stand(tmp_path: Path) -> None:
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "a.py").write_text(
        'Truth("False", "InCall", "NotThis")\n'
        'raise x.SpecError("InRaise", "text")\n'
        'reason = "InBranch" if x else y or "InRest"\n'
        'replace(z, waits="InKeyword", step="NotThisEither")\n'
        'Truth("True", found.reason, "")\n'
    )

    assert reasons(tmp_path) == {"InCall", "InRaise", "InBranch", "InRest", "InKeyword"}


def test_the_page_of_commands_says_what_may_be_left_out_and_what_a_configuration_is() -> None:
    page = reference_cli.cli_page()

    assert "## `inferfleet status [NAME] [options]`" in page
    assert "## `inferfleet why NAME [options]`" in page
    assert r"kubectl -n inferfleet-system get configmap inferfleet -o jsonpath='{.data.config\.yaml}'" in page
