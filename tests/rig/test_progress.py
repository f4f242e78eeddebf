from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from e2e.rig import cache
from e2e.rig.progress import Step, line, run_steps, spell


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0.4 s"), (42.4, "42 s"), (89.0, "89 s"), (90.0, "1 min 30 s"), (275.0, "4 min 35 s")]
)
def test_durations_are_said_as_a_person_says_them(seconds: float, text: str) -> None:
    assert spell(seconds) == text


def test_a_line_says_what_is_gone_and_what_is_left() -> None:
    assert line("[1/2] build", 60, 30, 1.0, 45) == "[1/2] build: 45 s of about 60 s, about 40 s to go"


def test_a_step_that_takes_longer_than_thought_never_has_less_than_nothing_left() -> None:
    assert line("[1/2] build", 60, 30, 1.0, 180) == "[1/2] build: 3 min 0 s of about 3 min, about 2 min to go"


def test_a_machine_that_was_slow_before_is_expected_to_stay_slow() -> None:
    assert line("[2/3] build", 60, 60, 2.0, 30) == "[2/3] build: 30 s of about 60 s, about 2 min to go"


def test_steps_are_done_in_order_and_their_durations_remembered() -> None:
    done: list[str] = []
    out = io.StringIO()

    run_steps(
        [Step("one", 5, lambda: done.append("one")), Step("two", 5, lambda: done.append("two"))],
        Console(file=out),
    )

    assert done == ["one", "two"]
    assert out.getvalue().splitlines()[0].startswith("[1/2] one: done in ")
    assert set(json.loads((cache.root() / "durations.json").read_text())) == {"one", "two"}


def test_a_step_that_fails_stops_the_rest_and_is_not_remembered() -> None:
    def fail() -> None:
        raise ValueError("broken")

    done: list[str] = []
    with pytest.raises(ValueError, match="broken"):
        run_steps([Step("one", 1, fail), Step("two", 1, lambda: done.append("two"))], Console(file=io.StringIO()))

    assert done == []
    assert not (cache.root() / "durations.json").exists()
