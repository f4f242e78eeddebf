"""When a model counts as stalled."""

from __future__ import annotations

import pytest

from inferfleet.engines.profile import start_up_seconds
from inferfleet.plan.progress import DEADLINE, deadline_seconds


def test_the_deadline_is_the_users_where_there_is_one() -> None:
    assert deadline_seconds(60, 1 << 40) == 60


@pytest.mark.parametrize("gib", [0, 1, 15, 131, 260])
def test_small_weights_have_the_default(gib: int) -> None:
    assert deadline_seconds(None, gib << 30) == DEADLINE


@pytest.mark.parametrize("gib", [280, 641, 1300])
def test_large_weights_have_the_time_in_which_the_kubelet_lets_them_start(gib: int) -> None:
    assert deadline_seconds(None, gib << 30) == start_up_seconds(gib << 30) > DEADLINE
