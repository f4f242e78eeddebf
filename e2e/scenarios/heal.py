"""What breaks comes back: a pod, a node, a GPU, a child edited or deleted by hand, a dead model in a live server."""

from __future__ import annotations

import time
from collections.abc import Callable

from e2e.lab import Lab, is_ready, must, wait_for
from e2e.rig.api import Json
from e2e.scenarios.registry import scenario

NAME = "smollm2"
H100 = "nvidia.com/gpu.product"


@scenario("heal", "a pod, a node, a GPU, children changed by hand and a dead model are repaired", limit_seconds=900)
def heal(lab: Lab, _whole: bool) -> None:
    other = lab.rig.nodes[1]
    # Both nodes count as one class here, so that a replica has somewhere else to go.
    lab.rig.kubectl("label", "node", other.name, f"{H100}={lab.rig.nodes[0].product}", "--overwrite")
    try:
        lab.apply(lab.model(NAME, replicas=2, template=_apart()))
        lab.ready(NAME)
        for what, seconds in _repairs(lab):
            lab.counted[f"{what} s"] = round(seconds, 1)
    finally:
        lab.rig.kubectl("label", "node", other.name, f"{H100}={other.product}", "--overwrite")


def _apart() -> Json:
    """One replica on each node, as far as that is possible."""
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    return {"topologySpreadConstraints": [spread]}


def _repairs(lab: Lab) -> list[tuple[str, float]]:
    return [
        ("pod deleted", _timed(lab, lambda: _delete_pod(lab))),
        ("pod drained", _drained(lab)),
        ("child edited", _by_hand(lab, "scaled")),
        ("child deleted", _by_hand(lab, "deleted")),
        ("dead model", _timed(lab, lambda: _kill_model(lab))),
        ("GPU failed", _gpu(lab)),
        ("node cut", _node(lab)),
        ("pods drained", _drained(lab)),
    ]


def _timed(lab: Lab, breaks: Callable[[], str]) -> float:
    """Break one replica and wait until another serves in its place."""
    begun = time.monotonic()
    gone = breaks()
    wait_for(lambda: gone not in _uids(lab), "the broken replica to go", 180)
    wait_for(lambda: sum(is_ready(pod) for pod in lab.pods(NAME)) == 2, "two ready replicas", 180)
    lab.ready(NAME, 60)
    return time.monotonic() - begun


def _drained(lab: Lab) -> float:
    """Wait until deleted pods have ended: one that serves nobody does not use up its grace period of minutes."""
    begun = time.monotonic()
    wait_for(
        lambda: not any("deletionTimestamp" in pod["metadata"] for pod in lab.children("pods", NAME)), "drains", 90
    )
    return time.monotonic() - begun


def _uids(lab: Lab) -> set[str]:
    return {pod["metadata"]["uid"] for pod in lab.pods(NAME)}


def _delete_pod(lab: Lab) -> str:
    pod = lab.pods(NAME)[0]["metadata"]
    lab.rig.kubectl("-n", lab.namespace, "delete", "pod", pod["name"], "--wait=false")
    return str(pod["uid"])


def _kill_model(lab: Lab) -> str:
    pod = lab.pods(NAME)[0]["metadata"]
    killed = lab.rig.levers.pods.kill_process(lab.namespace, pod["name"], "server", "triton_python_backend_stub")
    must(killed, "no process of the model was found to kill")
    return str(pod["uid"])


def _by_hand(lab: Lab, how: str) -> float:
    """Edit or delete a child of every kind that is applied, and wait until each is as it was."""
    begun = time.monotonic()
    before = {kind: _specs(lab, kind) for kind in ("services", "networkpolicies", "poddisruptionbudgets")}
    for kind, found in before.items():
        for name in found:
            if how == "deleted":
                lab.rig.kubectl("-n", lab.namespace, "delete", kind, name, "--wait=false")
            else:
                _spoil(lab, kind, name)
    pods = _uids(lab)
    if how == "scaled":
        name = lab.children("replicasets", NAME)[0]["metadata"]["name"]
        lab.rig.kubectl("-n", lab.namespace, "scale", "replicaset", name, "--replicas=3")
    for kind, found in before.items():
        wait_for(lambda kind=kind, found=found: _specs(lab, kind) == found, f"{kind} to be restored", 15)  # type: ignore[misc]  # - bound at once
    wait_for(lambda: lab.children("replicasets", NAME)[0]["spec"]["replicas"] == 2, "the ReplicaSet to be restored", 15)
    wait_for(lambda: _uids(lab) >= pods or len(_uids(lab)) == 2, "two replicas", 60)
    seconds = time.monotonic() - begun
    lab.ready(NAME)
    return seconds


def _specs(lab: Lab, kind: str) -> dict[str, Json]:
    """Show what matters of children of a kind; what the API server adds by itself is left out."""
    dropped = ("clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "sessionAffinity")
    return {
        child["metadata"]["name"]: {key: value for key, value in child["spec"].items() if key not in dropped}
        for child in lab.children(kind, NAME)
    }


def _spoil(lab: Lab, kind: str, name: str) -> None:
    patches = {
        "services": '{"spec":{"selector":{"inferfleet.dev/traffic":"nobody"}}}',
        "networkpolicies": '{"spec":{"ingress":[{}]}}',
        "poddisruptionbudgets": '{"spec":{"maxUnavailable":"100%"}}',
    }
    lab.rig.kubectl("-n", lab.namespace, "patch", kind, name, "--type=merge", "-p", patches[kind])


def _gpu(lab: Lab) -> float:
    """Fail the GPUs of one node that the replica there holds: it goes once another serves."""
    pod = lab.pods(NAME)[0]
    node = pod["spec"]["nodeName"]
    begun = time.monotonic()
    lab.rig.levers.gpu.fail_all(node)
    try:
        wait_for(lambda: pod["metadata"]["uid"] not in _uids(lab), "the replica on the failed GPU to go", 240)
        lab.ready(NAME, 240)
        return time.monotonic() - begun
    finally:
        lab.rig.levers.gpu.heal(node)


def _node(lab: Lab) -> float:
    """Cut the network of a node that has a replica and not the operator's leader."""
    pod = lab.pods(NAME)[0]
    node = pod["spec"]["nodeName"]
    begun = time.monotonic()
    lab.rig.levers.network.cut(node)
    try:
        wait_for(lambda: _serving_elsewhere(lab, node), "two replicas to serve on the other node", 240)
        return time.monotonic() - begun
    finally:
        lab.rig.levers.network.heal(node)
        wait_for(lambda: lab.rig.get(f"/api/v1/nodes/{node}")["status"], "the node to come back", 60)
        lab.ready(NAME, 240)


def _serving_elsewhere(lab: Lab, node: str) -> bool:
    away = [pod for pod in lab.pods(NAME) if pod["spec"].get("nodeName") != node]
    return sum(is_ready(pod) for pod in away) >= 2
