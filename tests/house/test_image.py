"""The image's recipe: linted, unprivileged, and small where code changes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from house.repository import ROOT

RECIPE = (ROOT / "Dockerfile").read_text()


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert hadolint
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_a_numeric_user_that_is_not_root() -> None:
    (user,) = re.findall(r"^USER (\S+)$", RECIPE, re.MULTILINE)

    assert re.fullmatch(r"[1-9][0-9]{4,}:[1-9][0-9]{4,}", user)


def test_code_comes_after_what_it_needs_and_only_code_comes_after_it() -> None:
    steps = re.findall(r"^(FROM|COPY|RUN|USER|ENTRYPOINT)\b(.*)$", RECIPE, re.MULTILINE)
    words = [f"{step}{rest}" for step, rest in steps]

    requirements = next(index for index, line in enumerate(words) if line.startswith("RUN python3 -m pip install"))
    code = next(index for index, line in enumerate(words) if line.startswith("COPY") and "operator" in line)
    assert requirements < code
    assert not any("pip install" in line for line in words[code:])
    assert "--require-hashes" in words[requirements]


def test_the_build_sees_code_and_requirements_only() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == {"operator/inferfleet", "requirements/run.txt"}
