"""What a person is told while a rig comes and goes."""

from __future__ import annotations

import sys
from contextlib import nullcontext

import pytest

from e2e.rig import footprint, lifecycle, prepare
from e2e.rig.settings import REPOSITORY


@pytest.mark.parametrize(("clone", "shown"), [("/elsewhere", "/elsewhere"), (str(REPOSITORY), "this checkout")])
def test_a_rig_that_is_there_already_says_whose_it_is(
    clone: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lifecycle, "about", lambda: {"clone": clone, "since": "2026-01-01T00:00:00+00:00"})
    monkeypatch.setattr(lifecycle, "broken", list)
    monkeypatch.setattr(lifecycle, "refresh", lambda: None)
    monkeypatch.setattr(prepare, "check", lambda: type("Machine", (), {"missing_packages": []}))
    monkeypatch.setattr(prepare, "build", lambda packages: None)

    lifecycle.up()

    said = capsys.readouterr().out
    assert f"A rig is running already, since 2026-01-01T00:00:00+00:00, started from {shown}" in said
    assert said.index("already") < said.index("The rig is up")


def test_each_step_is_said_with_its_time_when_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    said = sys.stdout.write

    lifecycle.in_steps(("one", lambda: said("doing one\n")), ("two", lambda: said("doing two\n")))

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == ["doing one", "0.0 s one", "doing two", "0.0 s two"]


def test_a_rig_that_goes_says_each_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """All that removes anything is replaced: this machine may have a rig."""
    gone: list[str] = []
    monkeypatch.setattr(lifecycle, "_clearing", lambda: (("processes ended", lambda: gone.append("processes")),))
    monkeypatch.setattr(lifecycle, "machine_lock", lambda *_, **__: nullcontext())
    monkeypatch.setattr(lifecycle, "leftovers", list)
    monkeypatch.setattr(footprint, "recorded", lambda: None)

    lifecycle.down()

    lines = capsys.readouterr().out.splitlines()
    assert gone == ["processes"]
    assert lines[0].endswith("s  processes ended")
    assert lines[1].startswith("The rig is down (")
