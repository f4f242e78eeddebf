"""From raw objects to facts: nodes, who holds GPUs, replicas, ReplicaSets, quotas.

The one rule: what an object does not say has its default here, and text of others is made fit to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inferfleet.api.base import KIND, Json
from inferfleet.fleet import names
from inferfleet.fleet.downloads import Download, DownloadState
from inferfleet.fleet.nodes import GPU, PRODUCT_LABEL, GpuPod, Node, Quota, Taint
from inferfleet.fleet.replicas import Blocker, Replica, Traffic
from inferfleet.fleet.revision import PodSet
from inferfleet.fleet.text import public
from inferfleet.fleet.weights import Outcome
from inferfleet.kube.blockers import blocker_of, outcome_of

FINISHED = ("Succeeded", "Failed")
LOST = ("Failed", "FailureTarget")
"""A Job whose pod is on a node that died has only the second of them, until somebody removes the pod."""


def seconds(text: str | None) -> float | None:
    """Read an API time as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() if text else None


def node_from(raw: Json) -> Node:
    """Read a node."""
    spec, status, labels = raw.get("spec", {}), raw.get("status", {}), raw["metadata"].get("labels", {})
    ready = next((each["status"] for each in status.get("conditions", ()) if each["type"] == "Ready"), "Unknown")
    return Node(
        name=raw["metadata"]["name"],
        product=labels.get(PRODUCT_LABEL, ""),
        gpus=_gpus(status.get("allocatable", {})),
        capacity=_gpus(status.get("capacity", {})),
        ready=ready == "True",
        cordoned=bool(spec.get("unschedulable")),
        taints=tuple(_taint(taint) for taint in spec.get("taints", ()) if not _says_cordoned(taint)),
        labels=labels,
    )


def _taint(raw: Json) -> Taint:
    return Taint(raw["key"], raw.get("value", ""), raw["effect"])


def _says_cordoned(taint: Json) -> bool:
    return bool(taint["key"] == "node.kubernetes.io/unschedulable")


def _gpus(amounts: Json) -> int:
    return int(amounts.get(GPU, 0))


def gpu_pod_from(raw: Json) -> GpuPod | None:
    """Read a pod of anyone that holds GPUs of a node; None if it holds none."""
    spec, status = raw.get("spec", {}), raw.get("status", {})
    node, gpus = spec.get("nodeName"), pod_gpus(spec)
    if not node or not gpus or status.get("phase") in FINISHED:
        return None
    return GpuPod(raw["metadata"]["uid"], node, gpus, owner_uid(raw), "deletionTimestamp" in raw["metadata"])


def pod_gpus(spec: Json) -> int:
    """Count the GPUs that a pod takes: its containers' sum, or an init container's if that is more."""
    ordinary = sum(_requested(container) for container in spec.get("containers", ()))
    sidecars = [each for each in spec.get("initContainers", ()) if each.get("restartPolicy") == "Always"]
    others = [each for each in spec.get("initContainers", ()) if each.get("restartPolicy") != "Always"]
    return max(ordinary + sum(map(_requested, sidecars)), max(map(_requested, others), default=0))


def _requested(container: Json) -> int:
    resources = container.get("resources", {})
    return _gpus(resources.get("requests", {})) or _gpus(resources.get("limits", {}))


def owner_uid(raw: Json) -> str:
    """Find the uid of the object's controller; empty without one."""
    references = raw["metadata"].get("ownerReferences", ())
    return next((str(each["uid"]) for each in references if each.get("controller")), "")


def is_of_model(raw: Json, name: str) -> bool:
    """Tell whether the object's controller is a ModelDeployment of this name, whichever object that was or is."""
    references = raw["metadata"].get("ownerReferences", ())
    return any(each.get("controller") and each["kind"] == KIND and each["name"] == name for each in references)


def label(raw: Json, key: str) -> str:
    """Read a label; empty without one."""
    return str(raw["metadata"].get("labels", {}).get(key, ""))


def annotation(raw: Json, key: str) -> str:
    """Read an annotation; empty without one."""
    return str(raw["metadata"].get("annotations", {}).get(key, ""))


def replica_from(raw: Json) -> Replica:
    """Read a serving pod."""
    meta, spec, status = raw["metadata"], raw.get("spec", {}), raw.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    scheduled, ready = conditions.get("PodScheduled", {}), conditions.get("Ready", {})
    is_ready = ready.get("status") == "True"
    is_bound = bool(spec.get("nodeName"))
    statuses = status.get("containerStatuses", ())
    cost = annotation(raw, names.DELETION_COST)
    return Replica(
        name=meta["name"],
        uid=meta["uid"],
        set_uid=owner_uid(raw),
        revision=label(raw, names.REVISION),
        shape=label(raw, names.SHAPE),
        created=seconds(meta["creationTimestamp"]) or 0.0,
        traffic=_traffic(raw),
        node=spec.get("nodeName", ""),
        ip=status.get("podIP", ""),
        bound=is_bound,
        bound_at=seconds(scheduled.get("lastTransitionTime")) if is_bound else None,
        ready=is_ready,
        ready_at=seconds(ready.get("lastTransitionTime")) if is_ready else None,
        unready_at=None if is_ready else seconds(ready.get("lastTransitionTime")),
        terminating="deletionTimestamp" in meta,
        finished=status.get("phase") in FINISHED,
        restarts=sum(each.get("restartCount", 0) for each in statuses),
        blocker=blocker_of(raw),
        gpu_failed=_failed_gpu(statuses),
        deletion_cost=int(cost) if cost.lstrip("-").isdigit() else None,
    )


def _traffic(raw: Json) -> Traffic:
    return "serving" if label(raw, names.TRAFFIC) == "serving" else "held"


def _failed_gpu(statuses: tuple[Json, ...] | list[Json]) -> str:
    for container in statuses:
        for resource in container.get("allocatedResourcesStatus") or ():
            for device in resource.get("resources") or ():
                if device.get("health") == "Unhealthy":
                    return public(str(device.get("resourceID", "a GPU")), 64)
    return ""


@dataclass(frozen=True, slots=True)
class DownloadPod:
    """The pod of a download Job."""

    name: str
    uid: str
    job_uid: str
    ip: str
    running: bool
    blocker: Blocker | None
    outcome: Outcome | None


def download_pod_from(raw: Json) -> DownloadPod:
    """Read the pod of a download Job."""
    status = raw.get("status", {})
    return DownloadPod(
        name=raw["metadata"]["name"],
        uid=raw["metadata"]["uid"],
        job_uid=owner_uid(raw),
        ip=status.get("podIP", ""),
        running=status.get("phase") == "Running",
        blocker=blocker_of(raw),
        outcome=outcome_of(raw),
    )


def download_from(raw: Json, pod: DownloadPod | None) -> Download:
    """Read a download Job and its pod."""
    meta, status = raw["metadata"], raw.get("status", {})
    ended = {each["type"]: each for each in status.get("conditions", ()) if each["status"] == "True"}
    state: DownloadState = "Running" if pod and pod.running else "Waiting"
    state = "Succeeded" if "Complete" in ended else "Failed" if ended.keys() & set(LOST) else state
    attempt = annotation(raw, names.ATTEMPT)
    blocked = pod.blocker if pod and state == "Waiting" else None
    return Download(
        name=meta["name"],
        uid=meta["uid"],
        revision=label(raw, names.REVISION),
        state=state,
        created=seconds(meta["creationTimestamp"]) or 0.0,
        ended=max((seconds(each.get("lastTransitionTime")) or 0.0 for each in ended.values()), default=None),
        secret=annotation(raw, names.SECRET),
        attempt=int(attempt) if attempt.isdigit() else 0,
        pod=pod.name if pod else "",
        pod_uid=pod.uid if pod else "",
        ip=pod.ip if pod else "",
        blocked=(blocked.reason, blocked.message) if blocked else None,
        outcome=pod.outcome if pod else None,
        terminating="deletionTimestamp" in meta,
    )


def set_from(raw: Json) -> PodSet:
    """Read a ReplicaSet of ours."""
    spec, status = raw.get("spec", {}), raw.get("status", {})
    template = spec.get("template", {}).get("metadata", {}).get("labels", {})
    refused = [
        each for each in status.get("conditions", ()) if each["type"] == "ReplicaFailure" and each["status"] == "True"
    ]
    return PodSet(
        name=raw["metadata"]["name"],
        uid=raw["metadata"]["uid"],
        revision=label(raw, names.REVISION),
        shape=label(raw, names.SHAPE),
        wanted=int(spec.get("replicas", 1)),
        existing=int(status.get("replicas", 0)),
        traffic=template.get(names.TRAFFIC, "held"),
        blocked=public(refused[0].get("message", ""), 512) if refused else "",
        terminating="deletionTimestamp" in raw["metadata"],
    )


def quota_from(raw: Json) -> Quota | None:
    """Read what a ResourceQuota says of GPUs; None if it says nothing."""
    hard, used = raw.get("status", {}).get("hard", {}), raw.get("status", {}).get("used", {})
    key = f"requests.{GPU}"
    return Quota(raw["metadata"]["name"], int(hard[key]), int(used.get(key, 0))) if key in hard else None


def pruned(raw: Json) -> Json:
    """Keep a child without the parts that we never compare."""
    kept = {key: value for key, value in raw["metadata"].items() if key != "managedFields"}
    return {**raw, "metadata": kept}
