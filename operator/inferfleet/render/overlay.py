"""What is laid over a recorded template: traffic, drain, priority and avoided nodes, and nothing else.

The one rule: laid over twice, the last one holds, so that a template taken from a live ReplicaSet is as good as a
recorded one.
"""

from __future__ import annotations

from collections.abc import Iterable

from inferfleet.api.base import Json
from inferfleet.engines.profile import EngineProfile
from inferfleet.engines.triton import TRITON
from inferfleet.fleet import names
from inferfleet.plan.desired import Overlay
from inferfleet.render.merge import PREFERRED
from inferfleet.render.server import DRAIN, SERVER

NODE_NAME = "metadata.name"


def lay_over(template: Json, overlay: Overlay, profile: EngineProfile = TRITON) -> Json:
    """Give a pod template its traffic, drain time, priority and the nodes that it shuns."""
    metadata, pod = template["metadata"], template["spec"]
    labels = metadata["labels"] | {names.TRAFFIC: overlay.traffic}
    found = {key: value for key, value in pod.items() if key not in ("priorityClassName", "affinity")}
    found |= {
        "terminationGracePeriodSeconds": profile.drain.grace(overlay.drain_seconds),
        "containers": [_with_drain(container, overlay.drain_seconds) for container in pod["containers"]],
    }
    if overlay.priority_class:
        found["priorityClassName"] = overlay.priority_class
    affinity = _shunning(pod.get("affinity", {}), overlay.avoid_nodes)
    if affinity:
        found["affinity"] = affinity
    return template | {"metadata": metadata | {"labels": labels}, "spec": found}


def _with_drain(container: Json, seconds: int) -> Json:
    if container["name"] != SERVER:
        return container
    drain = {"name": DRAIN, "value": str(seconds)}
    return container | {"env": [drain if each["name"] == DRAIN else each for each in container["env"]]}


def _shunning(affinity: Json, avoid: Iterable[str]) -> Json:
    """Prefer other nodes; only we prefer by a node's name, so that an older wish of ours is found again."""
    nodes = affinity.get("nodeAffinity", {})
    theirs = [each for each in nodes.get(PREFERRED, []) if "matchFields" not in each["preference"]]
    fields = [{"key": NODE_NAME, "operator": "NotIn", "values": [name]} for name in sorted(set(avoid))]
    ours = [{"weight": 100, "preference": {"matchFields": fields}}] if fields else []
    others = {key: value for key, value in nodes.items() if key != PREFERRED}
    nodes = others | ({PREFERRED: theirs + ours} if theirs or ours else {})
    rest = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
    return rest | ({"nodeAffinity": nodes} if nodes else {})
