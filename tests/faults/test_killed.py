"""Rows 1 to 3: an operator is killed before or after any write, and another one carries on.

The one rule: every write of an operation is a point, and the end of each run is compared with a run without a kill.
"""

from __future__ import annotations

import pytest

from faults.points import OPERATIONS, REPLACE, UPGRADE, Operation, beginning, carried_on, dying, undisturbed, unlike

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
each_with_upgrades_slow = pytest.mark.parametrize(
    "operation",
    [pytest.param(each, marks=[pytest.mark.slow] * (each in (UPGRADE, REPLACE))) for each in OPERATIONS],
    ids=lambda operation: operation.name,
)


@each_with_upgrades_slow
async def test_row_01_02_03_killed_before_or_after_any_write_it_converges_without_duplicates(
    operation: Operation,
) -> None:
    begin = await beginning(operation)
    story = await undisturbed(operation, begin)

    for point, moment in story.camera.points():
        end, fewest = await carried_on(moment)
        assert unlike(end, story.end) == [], f"killed {point}"
        assert fewest >= operation.floor, f"killed {point}"

    assert story.fewest >= operation.floor


@each_operation
async def test_row_01_02_03_operators_that_die_again_and_again_get_there_all_the_same(operation: Operation) -> None:
    begin = await beginning(operation)
    story = await undisturbed(operation, begin)

    end, fewest, deaths = await dying(operation, begin, "after", 2)

    assert unlike(end, story.end) == []
    assert fewest >= operation.floor
    assert deaths >= len(story.camera.taken) // 8
