"""Installs inferfleet into a rig by Helm, as a user would, with the rig's own values, and its command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from e2e.rig import Rig
from e2e.rig.images import make
from e2e.rig.images.catalogue import declared_as
from e2e.rig.prepare import BIN
from e2e.rig.settings import CONTROL_IP, PYTHON, REPOSITORY

NAMESPACE = "inferfleet-system"
RELEASE = "inferfleet"
CHART = REPOSITORY / "charts" / "inferfleet"
VALUES = Path(__file__).with_name("values.yaml")
HUB = f"http://{CONTROL_IP}:8088"


def install(rig: Rig, *extra: str) -> None:
    """Install or upgrade the release and wait until it is ready; `extra` are further arguments of Helm."""
    digest = make(declared_as("inferfleet")).digest
    # The tag stays the same while the code changes: the digest makes a new image a new pod.
    marks = {"podAnnotations": {"rig/image": digest}}
    rig.helm(
        "upgrade", RELEASE, str(CHART), "--install", "--create-namespace", "--namespace", NAMESPACE,
        "--values", str(VALUES), "--values", "-", *extra, "--wait", "--timeout", "120s",
        stdin=json.dumps(marks),
    )  # fmt: skip


def is_installed(rig: Rig) -> bool:
    """Tell whether the release is there already."""
    return RELEASE in rig.helm("list", "--namespace", NAMESPACE, "--short").split()


def install_plugin(directory: Path = BIN) -> None:
    """Put this checkout's command line beside kubectl, which finds it there as a plugin."""
    path, python = shlex.quote(str(REPOSITORY / "operator")), shlex.quote(PYTHON)
    for name in ("inferfleet", "kubectl-inferfleet"):
        command = directory / name
        command.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {python} -m inferfleet "$@"\n')
        command.chmod(0o755)
