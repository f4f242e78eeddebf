"""Operators die at every write of a create, an edit and a delete: what is served goes on, nothing is doubled or left.

The one rule: the operators of the chart rest meanwhile, so that whatever happens is the work of those that die.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.install import NAMESPACE, RELEASE
from e2e.lab import Lab, must, wait_for
from e2e.operators import pods, wait_for_leader
from e2e.rig import pki, shell
from e2e.rig.settings import NODES, PYTHON, REPOSITORY
from e2e.scenarios.registry import scenario
from e2e.traffic import nothing_lost, traffic

NAME = "smollm2"
CHILDREN = {
    "replicasets": 1, "services": 1, "persistentvolumeclaims": 1, "poddisruptionbudgets": 1, "networkpolicies": 3,
}  # fmt: skip
"""How many there are of each kind when a model has settled."""
NODE = NODES[0]
QUIET_SECONDS = 10.0


@scenario("operator-down", "kill -9 before and after every write of create, edit, delete", limit_seconds=600)
def operator_down(lab: Lab, whole: bool) -> None:
    _rest(lab, 0)
    # Those that die live in one node's network, from which policies let them reach that node's pods alone.
    lab.rig.levers.node.cordon(NODES[1].name)
    try:
        # To die after a write is to die before the next one: the other way round repeats it, write by write.
        for mode in ("after", "before") if whole else ("after",):
            _one_life(lab, mode)
    finally:
        lab.rig.levers.node.uncordon(NODES[1].name)
        _rest(lab, 2)
        wait_for_leader(lab)


def _rest(lab: Lab, replicas: int) -> None:
    lab.rig.kubectl("-n", NAMESPACE, "scale", "deployment", RELEASE, f"--replicas={replicas}")
    wait_for(lambda: len(pods(lab)) == replicas, f"{replicas} replicas of the operator", 60)


def _one_life(lab: Lab, mode: str) -> None:
    with _mortals(lab, mode) as row:
        lab.apply(lab.model(NAME, gpu={"count": 1, "products": ["H100-80GB"]}))
        lab.ready(NAME, 180)
        lab.counted[f"{mode}: deaths of a create"] = row.settle()
        _nothing_doubled(lab)
        with traffic(lab, NAME) as found:
            lab.patch(NAME, {"model": {"source": "hf://inferfleet/smollm2-triton", "revision": "v2"}})
            lab.ready(NAME, 240)
            deaths = row.settle()
        lab.counted[f"{mode}: of an edit"] = deaths
        lab.counted[f"{mode}: requests"] = nothing_lost(found)
        wait_for(lambda: len(lab.children("replicasets")) == 1, "the old ReplicaSet to go", 60)
        _nothing_doubled(lab)
        lab.delete(NAME)
        wait_for(lambda: _left(lab) == {f"{NAME}.weights"}, "everything but the claim to go")
        lab.counted[f"{mode}: of a delete"] = row.settle()
        must(_left(lab) == {f"{NAME}.weights"}, f"made again: {_left(lab)}")
    lab.rig.kubectl("-n", lab.namespace, "delete", "persistentvolumeclaim", f"{NAME}.weights")


def _left(lab: Lab) -> set[str]:
    return {child["metadata"]["name"] for kind in (*CHILDREN, "pods", "jobs") for child in lab.children(kind)}


def _nothing_doubled(lab: Lab) -> None:
    found = {kind: len(lab.children(kind)) for kind in CHILDREN}
    must(found == CHILDREN, f"children: {found}, wanted {CHILDREN}")
    must(len(lab.pods(NAME)) == 1, f"{len(lab.pods(NAME))} pods serve where one is wanted")


@dataclass
class Row:
    """Operators that die one after another."""

    process: subprocess.Popen[str]
    said: Path
    errors: Path
    seen: int = 0

    def settle(self) -> int:
        """Wait until none has died for a while; return how many have since the last time."""
        since, count = time.monotonic(), self._deaths()
        while time.monotonic() - since < QUIET_SECONDS:
            must(self.process.poll() is None, f"the row of operators ended: {self.errors.read_text()[-500:]}")
            time.sleep(0.5)
            if (now := self._deaths()) != count:
                since, count = time.monotonic(), now
        new, self.seen = count - self.seen, count
        must(new or self.seen, "no operator died")
        return new

    def _deaths(self) -> int:
        return len(self.said.read_text().splitlines())


@contextmanager
def _mortals(lab: Lab, mode: str) -> Iterator[Row]:
    """Run operators that die, with the rights and the configuration of the chart's, in a node's own network."""
    with tempfile.TemporaryDirectory() as directory:
        config, kubeconfig, said = (Path(directory, name) for name in ("config.yaml", "kubeconfig", "deaths"))
        errors = Path(directory, "errors")
        config.write_text(lab.rig.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{RELEASE}")["data"]["config.yaml"])
        token = lab.rig.levers.tokens.request(NAMESPACE, RELEASE, 3600)
        kubeconfig.write_text(pki.kubeconfig_with_token(pki.CA.read_bytes(), token))
        argv = [PYTHON, "-m", "e2e.mortal", str(config), str(kubeconfig), mode]
        environment = {"PYTHONPATH": f"{REPOSITORY}/operator:{REPOSITORY}", "PATH": "/usr/bin:/bin"}
        with said.open("w") as out, errors.open("w") as log:
            process = subprocess.Popen(
                shell.in_netns(NODE.netns, argv), stdout=out, stderr=log, text=True, cwd=REPOSITORY, env=environment
            )
        try:
            yield Row(process, said, errors)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
