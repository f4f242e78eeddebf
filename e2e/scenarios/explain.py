"""When a model does not run, `why`, condition and event name the cause in numbers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from e2e.install import HUB
from e2e.lab import Lab, must, wait_for
from e2e.rig.api import Json
from e2e.rig.hub.client import HubClient
from e2e.rig.hub.levers import Kind
from e2e.rig.settings import PYTHON, REPOSITORY
from e2e.scenarios.registry import scenario


@dataclass(frozen=True, slots=True)
class Case:
    """One cause: how the model is written, which condition says it, and words that must be among it."""

    name: str
    kind: str
    reason: str
    words: tuple[str, ...]
    spec: Json = field(default_factory=dict)
    source: str = "hf://inferfleet/smollm2-triton"
    around: Callable[[Lab], Any] | None = None
    seconds: float = 120


@scenario(
    "explain", "product, count, taint, quota, hub, image and load failures are named in numbers", limit_seconds=900
)
def explain(lab: Lab, _whole: bool) -> None:
    for case in CASES:
        with case.around(lab) if case.around else _nothing():
            lab.apply(lab.model(case.name, case.source, **case.spec))
            found = lab.reason(case.name, case.kind, case.reason, case.seconds)
            _says(found["message"], case, "the condition")
            _says(_why(lab, case.name), case, "why")
            wait_for(lambda case=case: _event(lab, case), f"an event {case.reason} about {case.name}", 30)  # type: ignore[misc]  # - bound at once
            lab.delete(case.name)
    lab.counted["causes named"] = len(CASES)


def _says(text: str, case: Case, where: str) -> None:
    flat = " ".join(text.split())
    missing = [word for word in case.words if word not in flat]
    must(not missing, f"{case.name}: {where} does not say {missing}: {flat[:600]}")


def _event(lab: Lab, case: Case) -> bool:
    return any(case.words[0] in event["message"] for event in lab.events(case.name))


def _why(lab: Lab, name: str) -> str:
    """Run `inferfleet why` as a user does."""
    environment = {**os.environ, **lab.rig.environment, "PYTHONPATH": str(REPOSITORY / "operator"), "COLUMNS": "1000"}
    command = [PYTHON, "-m", "inferfleet", "why", name, "--namespace", lab.namespace]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _tainted(lab: Lab) -> Iterator[None]:
    node = lab.rig.nodes[0].name
    lab.rig.levers.node.taint(node, "team", "NoSchedule")
    try:
        yield
    finally:
        lab.rig.levers.node.untaint(node, "team")


@contextmanager
def _quota(lab: Lab) -> Iterator[None]:
    path = f"/api/v1/namespaces/{lab.namespace}/resourcequotas"
    body = {"metadata": {"name": "gpus"}, "spec": {"hard": {"requests.nvidia.com/gpu": "1"}}}
    lab.rig.api.create(path, {"apiVersion": "v1", "kind": "ResourceQuota", **body})
    wait_for(lambda: lab.rig.get(f"{path}/gpus").get("status", {}).get("hard"), "the quota to be counted", 30)
    try:
        yield
    finally:
        lab.rig.api.delete(f"{path}/gpus")


@contextmanager
def _unauthorized(_lab: Lab) -> Iterator[None]:
    with HubClient(HUB).pulled(Kind.UNAUTHORIZED, repository="inferfleet/smollm2-triton"):
        yield


CASES = (
    Case(
        "no-product", "Accepted", "InvalidSpec", ("H200-141GB", "H100-80GB, A100-80GB"),
        {"gpu": {"products": ["H200-141GB"]}},
    ),
    Case(
        "too-few", "Scheduled", "TooFewGpusOnOneNode", ("Needs 12 x H100-80GB on one node", "has 8"),
        {"gpu": {"count": 12}},
    ),
    Case(
        "tainted", "Scheduled", "NodesUnavailable", ("team:NoSchedule", "node1"),
        {"gpu": {"products": ["H100-80GB"], "count": 1}}, around=_tainted,
    ),
    Case(
        "quota", "Scheduled", "QuotaExceeded", ("exceeded quota: gpus", "limited: requests.nvidia.com/gpu=1"),
        {"gpu": {"count": 2}}, around=_quota,
    ),
    Case(
        "hub-401", "Cached", "HubUnauthorized", ("secretRef",), {"cache": {"type": "PVC", "size": "1Gi"}},
        around=_unauthorized,
    ),
    Case(
        "no-image", "Ready", "ImagePullFailed", ("cannot pull registry.rig.local/none:1",),
        {"engine": {"image": "registry.rig.local/none:1"}},
    ),
    Case("broken", "Ready", "ModelLoadFailed", ("broken", "node1"), source="hf://inferfleet/broken", seconds=180),
    Case(
        "checkpoint", "Accepted", "NotATritonRepository", ("checkpoint", "config.json"),
        source="hf://inferfleet/checkpoint",
    ),
)  # fmt: skip
