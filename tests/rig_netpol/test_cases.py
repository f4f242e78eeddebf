"""The pure rules against the table of cases; `python -m e2e.rig.netpol.packets` holds real packets to the same one."""

from __future__ import annotations

import pytest

from e2e.rig.netpol.case_table import CASES
from e2e.rig.netpol.cases import Case
from rig_netpol.interpreter import passes


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_policy_lets_through_what_the_documentation_says(case: Case) -> None:
    assert [packet for packet in case.allowed if not passes(case, packet)] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_policy_stops_what_the_documentation_says(case: Case) -> None:
    assert [packet for packet in case.denied if passes(case, packet)] == []


def test_the_table_shows_both_sides_of_the_rules() -> None:
    assert sum(len(case.allowed) for case in CASES) >= 50
    assert sum(len(case.denied) for case in CASES) >= 50
