"""What is told of a beat: conditions, status and events, from what was decided.

The one rule: a truth is said once, here, and every place that shows it shows the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from inferfleet.api.base import Json
from inferfleet.fleet.replicas import Replica
from inferfleet.fleet.revision import Recorded
from inferfleet.fleet.snapshot import Snapshot
from inferfleet.plan import conditions
from inferfleet.plan import status as parts_of
from inferfleet.plan.actions import Announce, Plan
from inferfleet.plan.placement import Placement, explain
from inferfleet.plan.progress import deadline_seconds, download_status, format_time, last_progress
from inferfleet.plan.rollout import Line, Step
from inferfleet.plan.scene import Scene
from inferfleet.plan.truth import REFUSED, Truth
from inferfleet.plan.weights import WeightsPlan


@dataclass(frozen=True, slots=True)
class Decided:
    """What the parts decided, on the way to one plan."""

    scene: Scene
    weights: WeightsPlan
    placement: Placement | None
    refusal: Truth | None
    step: Step
    lines: tuple[Line, ...]
    proven: frozenset[str]
    """Names of the records whose replicas get traffic, the one proven in this beat included."""
    dying: tuple[Replica, ...]
    """Replicas that are deleted in this beat."""
    died: Mapping[str, str]
    """What each record notes of models that died, those of this beat included."""

    @property
    def settled(self) -> bool:
        """The target, and nothing else, serves as wanted."""
        record = self.scene.record
        busy = [line for line in self.lines if line.size or line.replicas]
        others = [line for line in busy if not record or line.name != record.name]
        if record is None or self.scene.frozen:
            return not others and not self.scene.wanted
        target = self.scene.line(record)
        serving = sum(replica.serves for replica in target.replicas)
        return not others and target.size == self.scene.wanted and serving >= self.scene.wanted


def nothing_but_status(snapshot: Snapshot, accepted: Truth, now: float) -> Plan:
    """Say that a spec is not accepted, where nothing runs that could go on."""
    view = conditions.View(accepted, REFUSED, REFUSED, REFUSED, wanted=1, serving=0)
    written = _conditions(snapshot, conditions.truths(view), now)
    body = {"observedGeneration": snapshot.subject.generation, "conditions": written}
    return Plan(status=body, announce=announce(snapshot, written))


def report(snapshot: Snapshot, plan: Plan, said: Truth, now: float) -> tuple[Json, tuple[Announce, ...]]:
    """Say what stood in the way of a plan: Ready repeats it, and the beat is tried again."""
    found = {each["type"]: Truth(each["status"], each["reason"], each["message"]) for each in plan.status["conditions"]}
    found.pop("Stalled", None)
    found["Ready"] = Truth("False" if found["Available"].fails else found["Ready"].status, said.reason, said.message)
    found["Reconciling"] = Truth("True", said.reason, said.message)
    written = _conditions(snapshot, found, now)
    return {**plan.status, "conditions": written}, announce(snapshot, written)


def status(decided: Decided) -> tuple[Json, float | None]:
    """Write status, and say in how many seconds it is to be looked at again at the latest."""
    scene, snapshot, settled = decided.scene, decided.scene.snapshot, decided.settled
    noted = download_status(snapshot.subject.status.get("download"), decided.weights.running, scene.now)
    progress = last_progress(snapshot, noted, scene.now)
    serving = sum(replica.serves for replica in snapshot.replicas)
    view = _view(decided, serving, progress)
    written = _conditions(snapshot, conditions.truths(view), scene.now)
    old = _before(decided)
    parts = {
        "plan": parts_of.plan_status(scene, scene.record, decided.weights, decided.placement),
        "download": noted,
        "rollout": parts_of.rollout_status(scene, decided.step, old, progress, settled),
    }
    existing = sum(not replica.finished for replica in snapshot.replicas)
    body = parts_of.whole(scene, written, serving, existing, parts)
    due = progress + _deadline(scene) - scene.now if not settled else None
    moments = [moment for moment in (decided.weights.again, due) if moment is not None and moment > 0]
    return body, min(moments, default=None)


def _deadline(scene: Scene) -> int:
    size = scene.record.repository.total_bytes if scene.record else 0
    return deadline_seconds(scene.spec.rollout.progress_deadline_seconds, size)


def _before(decided: Decided) -> Recorded | None:
    """Find the newest revision that still has replicas besides the target."""
    names = [line.name for line in decided.lines if line.size or line.replicas]
    found = [record for record in decided.scene.snapshot.recorded if record.name in names]
    found = [record for record in found if record.revision != decided.scene.revision]
    return max(found, key=lambda record: record.number, default=None)


def _is_rolling(decided: Decided) -> bool:
    return _before(decided) is not None or bool(parts_of.rolled_from(decided.scene))


def _view(decided: Decided, serving: int, progress: float) -> conditions.View:
    scene = decided.scene
    deadline = _deadline(scene)
    idle = scene.now - progress
    current = scene.line(scene.record).replicas if scene.record else ()
    update = scene.record is not None and scene.record.name in scene.snapshot.updates
    return conditions.View(
        accepted=scene.accepted,
        cached=decided.weights.cached,
        scheduled=_scheduled(decided, current),
        loading=parts_of.loading(current, scene.wanted),
        wanted=scene.wanted,
        serving=serving,
        suspended=scene.spec.suspend,
        rolling=not decided.settled and not scene.frozen and scene.wanted > 0 and _is_rolling(decided),
        waits=decided.step.waits,
        step=decided.step.step,
        moving=_moving(decided, current),
        overdue=deadline if not decided.settled and idle >= deadline else None,
        update=NEWER if update else "",
    )


NEWER = (
    "The chart or this release would make the pods otherwise today. They run on as they are; the next new revision "
    "takes it up, for example after a change of spec.template.annotations."
)


def _moving(decided: Decided, current: tuple[Replica, ...]) -> str:
    if not decided.step.evacuates:
        return ""
    lacking = _why_unplaced(decided, current)
    return f"{decided.step.step} {lacking.message}" if lacking else decided.step.step


def _scheduled(decided: Decided, current: tuple[Replica, ...]) -> Truth:
    scene = decided.scene
    if scene.record is None:
        return decided.refusal or Truth("Unknown", "WeightsFirst", "A node is chosen when the weights are there.")
    pod_set = scene.snapshot.set_of(scene.record)
    if pod_set and pod_set.blocked and pod_set.existing < pod_set.wanted:
        reason = "QuotaExceeded" if "exceeded quota" in pod_set.blocked else "PodsRefused"
        return Truth("False", reason, pod_set.blocked)
    return parts_of.scheduled(scene, current, _why_unplaced(decided, current))


def _why_unplaced(decided: Decided, current: tuple[Replica, ...]) -> Truth | None:
    """Say in our numbers why a replica has no node, or in the scheduler's words where GPUs are not the reason."""
    unplaced = [replica for replica in current if replica.alive and not replica.bound]
    if not unplaced:
        return None
    if decided.placement is None or decided.placement.slots == 0:
        return decided.refusal or why_not(decided.scene)
    said = next((replica.blocker for replica in unplaced if replica.blocker), None)
    return Truth("False", said.reason, said.message) if said else None


def _conditions(snapshot: Snapshot, found: dict[str, Truth], now: float) -> list[Json]:
    previous = snapshot.subject.status.get("conditions", [])
    return conditions.conditions(found, snapshot.subject.generation, previous, format_time(now))


NORMAL = ("Downloading", "Loading", "Starting", "RollingOut", "WaitingForScheduler", "WeightsFirst", "Paused")
TOLD = ("Ready", "Stalled", "UpdateAvailable")


def announce(snapshot: Snapshot, written: list[Json]) -> tuple[Announce, ...]:
    """Make an event of each truth whose status or reason is new."""
    before = {each["type"]: (each["status"], each["reason"]) for each in snapshot.subject.status.get("conditions", [])}
    told = [each for each in written if each["type"] in TOLD or each["reason"] == "InEachPod"]
    return tuple(
        Announce(_kind(each), each["reason"], each["message"])
        for each in told
        if before.get(each["type"]) != (each["status"], each["reason"])
    )


def _kind(condition: Json) -> Literal["Normal", "Warning"]:
    if condition["reason"] == "InEachPod" or condition["type"] == "Stalled":
        return "Warning"
    if condition["reason"] == "Degraded":
        return "Normal" if any(f" {reason}: " in condition["message"] for reason in NORMAL) else "Warning"
    return "Normal" if condition["status"] == "True" or condition["reason"] in NORMAL else "Warning"


def why_not(scene: Scene) -> Truth:
    """Say in numbers why a replica that exists has no node."""
    size = scene.record.repository.total_bytes if scene.record else scene.known_bytes
    spec = scene.spec
    if scene.record and scene.record.shape.product:
        gpu = spec.gpu.model_copy(update={"products": (scene.record.shape.product,), "count": scene.record.shape.gpus})
        spec = spec.model_copy(update={"gpu": gpu})
    found = explain(spec, size, scene.snapshot.fleet, scene.snapshot.quotas, scene.config)
    return Truth("False", found.reason, found.message)
