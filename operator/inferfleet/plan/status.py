"""`status`, built whole from what was seen and decided.

The one rule: nothing here changes while nothing happens.
"""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.fleet import names
from inferfleet.fleet.replicas import Blocker, Replica
from inferfleet.fleet.revision import Recorded
from inferfleet.plan.placement import Placement, memory_per_gpu_mib
from inferfleet.plan.progress import format_time
from inferfleet.plan.rollout import Step
from inferfleet.plan.scene import Scene
from inferfleet.plan.truth import Truth
from inferfleet.plan.weights import WeightsPlan

HTTP_PORT = 8000


def plan_status(scene: Scene, record: Recorded | None, weights: WeightsPlan, placement: Placement | None) -> Json:
    """Say what was chosen for the revision that is to serve."""
    cache = f"{scene.cache.kind}/{scene.cache.claim}" if scene.cache.claim else scene.cache.kind
    found = record.repository if record else weights.repository
    shape = record.shape if record else placement.shape if placement else None
    said: Json = {"engine": "triton", "cache": cache}
    if found:
        said |= {"revision": found.commit, "weightsMib": found.total_bytes >> 20}
        said |= {"licence": found.licence} if found.licence else {}
    if shape:
        said |= {"gpus": shape.gpus, "tensorParallel": shape.tensor_parallel}
        said |= {"pipelineParallel": shape.pipeline_parallel}
        said |= {"product": shape.product} if shape.product else {}
    if shape and found and shape.gpus:
        said["memoryPerGpuMib"] = memory_per_gpu_mib(found.total_bytes, shape.gpus)
    if record:
        said |= {"image": record.image, "model": record.model, "why": record.why}
    return said


def rollout_status(scene: Scene, step: Step, old: Recorded | None, progress: float, settled: bool) -> Json | None:
    """Say what the rollout does now, or how the last one ended."""
    before: Json = scene.snapshot.subject.status.get("rollout", {})
    if settled:
        kept = {key: value for key, value in before.items() if key in ("strategy", "from", "to", "lastProgress")}
        return {**kept, "step": "Complete."} if kept.get("to") == scene.revision and kept.get("from") else None
    said: Json = {"to": scene.revision, "lastProgress": format_time(progress)}
    came_from = old.revision if old else rolled_from(scene)
    if came_from:
        said["from"] = came_from
    same = before.get("to") == scene.revision
    for key, value in (("strategy", step.strategy), ("why", step.why), ("step", step.step)):
        if value or (same and before.get(key)):
            said[key] = value or before[key]
    return said


def rolled_from(scene: Scene) -> str:
    """Name the revision that a rollout which is not complete replaces; its last replica may be gone by now."""
    before: Json = scene.snapshot.subject.status.get("rollout", {})
    complete = scene.record is not None and scene.record.good
    return before.get("from", "") if before.get("to") == scene.revision and not complete else ""


def whole(scene: Scene, conditions: list[Json], serving: int, existing: int, parts: Json) -> Json:
    """Put status together; parts that are None are left out, so that they vanish."""
    record = scene.record
    gpus = f"{record.shape.gpus}x{record.shape.product}" if record and record.shape.gpus else "CPU" if record else ""
    return {
        "observedGeneration": scene.snapshot.subject.generation,
        "conditions": conditions,
        "replicas": existing,
        "readyReplicas": serving,
        "selector": f"{names.MODEL}={scene.owner.name},{names.ROLE}={names.ROLE_SERVER}",
        "summary": {"replicas": f"{serving}/{scene.wanted}", **({"gpus": gpus} if gpus else {})},
        "endpoint": f"http://{names.service_name(scene.owner.name)}.{scene.owner.namespace}.svc:{HTTP_PORT}",
        **{key: value for key, value in parts.items() if value is not None},
    }


def loading(replicas: tuple[Replica, ...], wanted: int) -> Truth:
    """Say why replicas that have a node do not serve yet: the worst of them speaks."""
    waiting = [replica for replica in replicas if replica.alive and replica.bound and not replica.serves]
    blocked = [found for replica in sorted(waiting, key=lambda each: each.name) if (found := _blocker(replica))]
    if blocked:
        more = f" ({len(blocked)} replicas)" if len(blocked) > 1 else ""
        return Truth("False", blocked[0].reason, f"{blocked[0].message}{more}")
    if waiting:
        where = ", ".join(sorted({replica.node for replica in waiting}))
        unproven = sum(replica.ready for replica in waiting)
        words = [_counted(len(waiting) - unproven, "loads the model", "load the model")]
        words += [_counted(unproven, "awaits a real inference", "await a real inference")]
        return Truth("False", "Loading", f"{', '.join(filter(None, words))} on {where}.")
    serving = sum(replica.serves for replica in replicas)
    if serving < wanted:
        return Truth("False", "Starting", f"{serving} of {wanted} replicas serve.")
    return Truth("True", "Loaded", "Every replica has loaded its model.")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}" if number else ""


def _blocker(replica: Replica) -> Blocker | None:
    """Find what stands in a replica's way: what its pod says, or what its server says of a model."""
    if replica.blocker is None and replica.proof.load_error:
        return Blocker("ModelLoadFailed", f"On {replica.node}: {replica.proof.load_error}")
    return replica.blocker


def scheduled(scene: Scene, replicas: tuple[Replica, ...], why_not: Truth | None) -> Truth:
    """Say whether every wanted replica has a node; `why_not` holds the numbers when one has none."""
    if scene.wanted == 0:
        return Truth("True", "NothingToSchedule", "No replica is wanted.")
    alive = [replica for replica in replicas if replica.alive]
    bound = sum(replica.bound for replica in alive)
    if bound >= scene.wanted:
        return Truth("True", "Scheduled", f"{scene.wanted} of {scene.wanted} replicas have a node.")
    return why_not or Truth("False", "WaitingForScheduler", f"{bound} of {scene.wanted} replicas have a node.")
