"""Flux and Helm wait for the right thing: kstatus' rules on every row of the table of conditions."""

from __future__ import annotations

from itertools import product

import pytest

from api.objects import deployment
from ecosystem.kstatus import kstatus
from ecosystem.statuses import GENERATION, REFUSED, ROWS, WAITS, Row, view
from inferfleet.api.base import Json
from inferfleet.api.crd import crd
from inferfleet.plan.conditions import truths


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_situation_is_what_the_tools_take_it_for(row: Row) -> None:
    assert kstatus(row.object)[0] == row.kstatus


def test_an_object_that_nobody_has_looked_at_is_waited_for() -> None:
    """Without the CRD's default this would be Current, and Helm would report success at once."""
    default: Json = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["default"]
    raw = deployment()

    new = {**raw, "metadata": {**raw["metadata"], "generation": 1}, "status": default}

    assert kstatus(new)[0] == "InProgress"
    assert kstatus({**new, "status": {}})[0] == "Current"


def test_an_edit_that_nobody_has_looked_at_is_waited_for() -> None:
    edited = ROWS[0].object
    edited["metadata"]["generation"] = GENERATION + 1

    assert kstatus(edited)[0] == "InProgress"


def test_an_object_that_is_being_deleted_is_nothing_else() -> None:
    gone = ROWS[0].object
    gone["metadata"]["deletionTimestamp"] = "2026-11-25T10:00:00Z"

    assert kstatus(gone)[0] == "Terminating"


def test_what_the_user_must_mend_is_told_by_the_tool_that_waits() -> None:
    row = next(row for row in ROWS if row.title == "refused")

    assert kstatus(row.object) == ("Failed", REFUSED.message)


def test_reconciling_and_stalled_never_meet_in_any_situation() -> None:
    for serving, rolling, waits, overdue, accepted, scheduled in product(
        (0, 1, 2, 3), (True, False), ("", "Paused"), (None, 1801), (view().accepted, REFUSED), (view().accepted, WAITS)
    ):
        seen = view(
            serving=serving, rolling=rolling, waits=waits, overdue=overdue, accepted=accepted, scheduled=scheduled
        )
        found = truths(seen)
        assert not {"Reconciling", "Stalled"} <= set(found), seen
        assert ("Stalled" in found) <= (found["Ready"].status == "False")
