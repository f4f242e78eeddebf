"""Installs inferfleet into a rig by Helm, as a user would, with the rig's own values."""

from __future__ import annotations

import json
from pathlib import Path

from e2e.rig import Rig
from e2e.rig.images import make
from e2e.rig.images.catalogue import declared_as
from e2e.rig.settings import CONTROL_IP, REPOSITORY

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


def uninstall(rig: Rig) -> None:
    """Remove the release; models and the definition of their kind stay."""
    rig.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found", "--wait")
