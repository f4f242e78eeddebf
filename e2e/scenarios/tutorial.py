"""Pages, word for word: their blocks of `bash` are run in one shell, and each `text` block must be what they said.

The one rule: in a `text` block `...` stands for anything, and the amount of space does not count.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from e2e.install import install_plugin
from e2e.lab import Lab, ScenarioError, must
from e2e.rig.settings import REPOSITORY
from e2e.scenarios.registry import scenario

TUTORIAL = REPOSITORY / "docs" / "tutorials" / "first-model.md"
DAY_TWO = REPOSITORY / "docs" / "how-to" / "day-two.md"
FIRST = 3
"""Blocks of the tutorial after which its model serves."""
NAMESPACE = "tutorial"
MARK = "\x1e"
SECONDS = 500


@dataclass(frozen=True, slots=True)
class Step:
    """Commands, and what they must say."""

    commands: str
    says: tuple[str, ...]


@scenario("tutorial", "every command of the tutorial works, and says what the page shows", limit_seconds=600)
def tutorial(lab: Lab, _whole: bool) -> None:
    _play(lab, read(TUTORIAL.read_text("utf-8")))


@scenario(
    "day-two", "a model is scaled, suspended, drained and outlives an upgrade as the page says", limit_seconds=600
)
def day_two(lab: Lab, _whole: bool) -> None:
    _play(lab, read(TUTORIAL.read_text("utf-8"))[:FIRST] + read(DAY_TWO.read_text("utf-8")))


def _play(lab: Lab, steps: list[Step]) -> None:
    """Run all steps, and compare what they said with what is shown."""
    _clear(lab)
    try:
        with tempfile.TemporaryDirectory() as directory:
            outputs = _run(lab, steps, Path(directory))
    finally:
        _clear(lab)
    for step, output in zip(steps, outputs, strict=True):
        missing = unsaid(step.says, output)
        must(not missing, f"the page shows {missing!r}, and this was said:\n{output}")
    lab.counted |= {"blocks run": len(steps), "lines shown": sum(len(step.says) for step in steps)}


def read(page: str) -> list[Step]:
    """Take the blocks out of a page; a `text` block belongs to the `bash` block before it."""
    steps: list[Step] = []
    for block in page.split("\n```")[1::2]:
        language, _, body = block.partition("\n")
        if language == "bash":
            steps.append(Step(body, ()))
        elif language == "text":
            steps[-1] = Step(steps[-1].commands, tuple(body.splitlines()))
    return steps


def unsaid(wanted: tuple[str, ...], output: str) -> str:
    """Return the first line that was not said, in this order; empty if all were."""
    lines = iter([" ".join(line.split()) for line in output.splitlines()])
    for shown in wanted:
        pattern = " ".join(shown.split()).replace("[", "[[]").replace("...", "*")
        if not any(fnmatchcase(line, pattern) for line in lines):
            return shown
    return ""


def _clear(lab: Lab) -> None:
    """Remove what a run that broke off left."""
    lab.rig.kubectl("uncordon", *(node.name for node in lab.rig.nodes))
    with suppress(ScenarioError):
        replace(lab, namespace=NAMESPACE).empty()
    lab.rig.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")


def _run(lab: Lab, steps: list[Step], directory: Path) -> list[str]:
    """Run all blocks in one shell; the command line lies where the page looks for it, as the demo puts it there."""
    install_plugin()
    script = f"\nprintf '{MARK}'\n".join(step.commands for step in steps)
    # The page chooses a namespace for all commands that follow: in a copy, so that others do not find it chosen.
    mine = str(shutil.copy(lab.rig.kubeconfig, directory))
    script = script.replace(str(lab.rig.kubeconfig), mine)
    environment = {**os.environ, **lab.rig.environment, "COLUMNS": "200"}
    shell = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        shell, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    must(done.returncode == 0, f"a command failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout.split(MARK)
