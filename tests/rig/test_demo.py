"""What the demo tells a person to type works."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from e2e import demo
from e2e.install import install_plugin
from e2e.rig import cache
from e2e.rig.settings import REPOSITORY
from inferfleet import __version__


@pytest.mark.parametrize("name", ["inferfleet", "kubectl-inferfleet"])
def test_the_command_line_lies_beside_kubectl(name: str, tmp_path: Path) -> None:
    directory = tmp_path / "with space"
    directory.mkdir()

    install_plugin(directory)
    install_plugin(directory)

    said = subprocess.run([directory / name, "--version"], capture_output=True, text=True, check=True, cwd="/")
    assert said.stdout == f"inferfleet {__version__}\n"


def test_the_last_panel_makes_kubectl_and_its_plugin_work_and_says_what_stays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.OUT, "file", None)
    demo.end(53)

    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    assert demo.EXPORT in lines
    assert "PATH=/var/lib/inferfleet-rig/bin:$PATH" in demo.EXPORT
    assert "kubectl inferfleet status smollm2 -n demo" in lines
    assert any(str(cache.root()) in line for line in lines)


def test_the_tutorial_begins_where_the_demo_ends() -> None:
    assert f"\n{demo.EXPORT}\n" in (REPOSITORY / "docs" / "tutorials" / "first-model.md").read_text("utf-8")
