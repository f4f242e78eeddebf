"""The whole decision of one beat: a snapshot in, every write and the whole status out.

The one rule: the same snapshot at the same moment gives the same plan, and a settled model gives no write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.engines import triton
from inferfleet.errors import SpecError
from inferfleet.fleet.replicas import Replica
from inferfleet.fleet.revision import Recorded
from inferfleet.fleet.snapshot import Snapshot
from inferfleet.plan import children, conditions, replicas, status
from inferfleet.plan.actions import Annotate, Announce, Plan, Target
from inferfleet.plan.desired import ServingPlan, WantedRecord
from inferfleet.plan.placement import Placement, Refusal, explain, free_slots, node_views, place
from inferfleet.plan.progress import deadline_seconds, download_status, format_time, last_progress
from inferfleet.plan.rollout import Line, RolloutFacts, Step, next_step
from inferfleet.plan.scene import Scene, look
from inferfleet.plan.truth import UNKNOWN, Truth
from inferfleet.plan.weights import WeightsFacts, WeightsPlan, plan_weights


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


def decide(snapshot: Snapshot, config: FleetConfig, now: float, refused: SpecError | None = None) -> Plan:
    """Decide one beat. `refused` is what rendering the target's record said to it, if it was refused."""
    scene = look(snapshot, config, now, refused)
    if isinstance(scene, Truth):
        return _nothing_but_status(snapshot, scene, now)
    try:
        return _assemble(_decide(scene))
    except SpecError as error:
        if refused:
            raise
        return decide(snapshot, config, now, error)


def _nothing_but_status(snapshot: Snapshot, accepted: Truth, now: float) -> Plan:
    view = conditions.View(accepted, UNKNOWN, UNKNOWN, UNKNOWN, wanted=1, serving=0)
    written = _conditions(snapshot, conditions.truths(view), now)
    body = {"observedGeneration": snapshot.subject.generation, "conditions": written}
    return Plan(status=body, announce=_announce(snapshot, written))


def _decide(scene: Scene) -> Decided:
    placed = _place(scene)
    refusal = Truth("False", placed.reason, placed.message) if isinstance(placed, Refusal) else None
    placement = placed if isinstance(placed, Placement) else None
    weights = _weights(scene, refusal)
    lines = scene.lines
    step = _step(scene, lines, placement)
    proven = frozenset(record.name for record in scene.snapshot.recorded if record.proven) | _just_proven(lines)
    return Decided(scene, weights, placement, refusal, step, lines, proven)


def _place(scene: Scene) -> Placement | Refusal:
    """Place a replica of the target: in the class that was recorded, else wherever the spec allows."""
    snapshot, record = scene.snapshot, scene.record
    size = record.repository.total_bytes if record else _known_bytes(scene)
    if record is None or not record.shape.gpus:
        return place(scene.spec, size, snapshot.fleet, snapshot.quotas, scene.config)
    found = next((each for each in scene.config.classes if each.name == record.shape.product), None)
    if found is None:
        return Refusal("NoSuchProduct", f"The class {record.shape.product} is no longer in the chart's values.")
    slots = free_slots(node_views(scene.spec, found, snapshot.fleet), record.shape.gpus)
    return Placement(record.shape, record.products, slots, record.why)


def _known_bytes(scene: Scene) -> int:
    found = [job.repository for job in scene.snapshot.downloads if job.revision == scene.revision and job.repository]
    return found[-1].total_bytes if found else 0


def _why_not(scene: Scene) -> Truth:
    """Say in numbers why a replica that exists has no node."""
    size = scene.record.repository.total_bytes if scene.record else _known_bytes(scene)
    spec = scene.spec
    if scene.record and scene.record.shape.product:
        gpu = spec.gpu.model_copy(update={"products": (scene.record.shape.product,), "count": scene.record.shape.gpus})
        spec = spec.model_copy(update={"gpu": gpu})
    found = explain(spec, size, scene.snapshot.fleet, scene.snapshot.quotas, scene.config)
    return Truth("False", found.reason, found.message)


def _weights(scene: Scene, refusal: Truth | None) -> WeightsPlan:
    if scene.record is None and (refusal or not scene.wanted):
        what = "a node can hold the model" if refusal else "a replica is wanted"
        return WeightsPlan(Truth("Unknown", "NotStarted", f"The download starts when {what}."))
    facts = WeightsFacts(
        scene.owner, scene.spec, scene.revision, scene.cache, scene.record, scene.snapshot.downloads, scene.now
    )
    return plan_weights(facts)


def _step(scene: Scene, lines: tuple[Line, ...], placement: Placement | None) -> Step:
    record = scene.record
    target = scene.line(record) if record else None
    old = tuple(line for line in lines if not record or line.name != record.name)
    facts = RolloutFacts(
        wanted=scene.wanted,
        target=target,
        old=old,
        slots=placement.slots if placement else 0,
        consent=scene.spec.rollout.outage == "Allow",
        paused=scene.spec.rollout.paused,
        replace_only=scene.snapshot.fleet.blind,
    )
    return next_step(facts)


def _just_proven(lines: tuple[Line, ...]) -> frozenset[str]:
    """Find revisions of which a replica answered a real inference."""
    return frozenset(
        line.name
        for line in lines
        if any(replica.alive and replica.ready and replica.proof.proven for replica in line.replicas)
    )


def _assemble(decided: Decided) -> Plan:
    scene, weights = decided.scene, decided.weights
    costs = replicas.victims(decided.lines, decided.step.sizes)
    sizes = children.held_back(decided.lines, decided.step.sizes) if costs else decided.step.sizes
    settled = _settled(decided)
    body, again = _status(decided, settled)
    announce = _announce(scene.snapshot, body["conditions"])
    return Plan(
        children=children.children(scene, sizes, decided.proven),
        start=weights.start,
        record=_record(decided),
        annotate=_annotations(decided, settled),
        route=replicas.routes(decided.lines, decided.proven),
        costs=costs,
        delete_pods=replicas.removals(decided.lines),
        remove_downloads=children.stale_downloads(scene, weights.remove),
        remove_sets=children.empty_sets(scene, decided.step.sizes),
        remove_records=children.old_records(scene),
        keep_held=children.held_services(scene, decided.proven),
        watched=children.watched(scene),
        status=body,
        announce=announce,
        again=again,
    )


def _record(decided: Decided) -> WantedRecord | None:
    """Record the target once its weights and its place are known."""
    scene, found, placement = decided.scene, decided.weights.repository, decided.placement
    if scene.record or scene.frozen or not found or not placement:
        return None
    triton.check_repository(found)
    model = triton.choose_model(found, scene.spec.model.name)
    image = scene.spec.engine.image or scene.config.images.triton
    serving = ServingPlan(
        scene.owner, scene.spec, scene.revision, placement.shape, placement.products, model, image, found, scene.cache
    )
    number = 1 + max((record.number for record in scene.snapshot.recorded), default=0)
    return WantedRecord(serving, number, scene.restarted, placement.why)


def _settled(decided: Decided) -> bool:
    """Tell whether the target, and nothing else, serves as wanted."""
    record = decided.scene.record
    others = [line for line in decided.lines if line.size or line.replicas if not record or line.name != record.name]
    if record is None or decided.scene.frozen:
        return not others and not decided.scene.wanted
    target = decided.scene.line(record)
    serving = sum(replica.serves for replica in target.replicas)
    return not others and target.size == decided.scene.wanted and serving >= decided.scene.wanted


def _annotations(decided: Decided, settled: bool) -> tuple[Annotate, ...]:
    scene = decided.scene
    moment = format_time(scene.now)
    notes: dict[str, dict[str, str]] = {}
    for record in scene.snapshot.recorded:
        if record.name in decided.proven and not record.proven:
            notes.setdefault(record.name, {})["proven"] = moment
    if settled and scene.record and scene.wanted and not scene.record.good:
        notes.setdefault(scene.record.name, {})["good"] = moment
    uids = {record.name: record.uid for record in scene.snapshot.recorded}
    return tuple(Annotate(Target(name, uids[name]), found) for name, found in notes.items())


def _status(decided: Decided, settled: bool) -> tuple[Json, float | None]:
    """Write status, and say in how many seconds it is to be looked at again at the latest."""
    scene, snapshot = decided.scene, decided.scene.snapshot
    noted = download_status(snapshot.subject.status.get("download"), decided.weights.running, scene.now)
    progress = last_progress(snapshot, noted, scene.now)
    serving = sum(replica.serves for replica in snapshot.replicas)
    view = _view(decided, serving, settled, progress)
    written = _conditions(snapshot, conditions.truths(view), scene.now)
    old = _before(decided)
    parts = {
        "plan": status.plan_status(scene, scene.record, decided.weights, decided.placement),
        "download": noted,
        "rollout": status.rollout_status(scene, decided.step, old, progress, settled),
    }
    existing = sum(not replica.finished for replica in snapshot.replicas)
    body = status.whole(scene, written, serving, existing, parts)
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


def _view(decided: Decided, serving: int, settled: bool, progress: float) -> conditions.View:
    scene = decided.scene
    deadline = _deadline(scene)
    idle = scene.now - progress
    current = scene.line(scene.record).replicas if scene.record else ()
    update = scene.record is not None and scene.record.name in scene.snapshot.updates
    return conditions.View(
        accepted=scene.accepted,
        cached=decided.weights.cached,
        scheduled=_scheduled(decided, current),
        loading=status.loading(current, scene.wanted),
        wanted=scene.wanted,
        serving=serving,
        suspended=scene.spec.suspend,
        rolling=not settled and not scene.frozen and _before(decided) is not None and scene.wanted > 0,
        waits=decided.step.waits,
        step=decided.step.step,
        overdue=deadline if not settled and idle >= deadline else None,
        update="A restart would take up a newer template or image." if update else "",
    )


def _scheduled(decided: Decided, current: tuple[Replica, ...]) -> Truth:
    scene = decided.scene
    if scene.record is None:
        return decided.refusal or Truth("Unknown", "WeightsFirst", "A node is chosen when the weights are there.")
    pod_set = scene.snapshot.set_of(scene.record)
    if pod_set and pod_set.blocked and pod_set.existing < pod_set.wanted:
        reason = "QuotaExceeded" if "exceeded quota" in pod_set.blocked else "PodsRefused"
        return Truth("False", reason, pod_set.blocked)
    return status.scheduled(scene, current, _why_unplaced(decided, current))


def _why_unplaced(decided: Decided, current: tuple[Replica, ...]) -> Truth | None:
    """Say in our numbers why a replica has no node, or in the scheduler's words where GPUs are not the reason."""
    unplaced = [replica for replica in current if replica.alive and not replica.bound]
    if not unplaced:
        return None
    if decided.placement is None or decided.placement.slots == 0:
        return decided.refusal or _why_not(decided.scene)
    said = next((replica.blocker for replica in unplaced if replica.blocker), None)
    return Truth("False", said.reason, said.message) if said else None


def _conditions(snapshot: Snapshot, found: dict[str, Truth], now: float) -> list[Json]:
    previous = snapshot.subject.status.get("conditions", [])
    return conditions.conditions(found, snapshot.subject.generation, previous, format_time(now))


NORMAL = ("Downloading", "Loading", "Starting", "RollingOut", "WaitingForScheduler", "WeightsFirst", "Paused")
TOLD = ("Ready", "Stalled", "UpdateAvailable")


def _announce(snapshot: Snapshot, written: list[Json]) -> tuple[Announce, ...]:
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
    fine = condition["status"] == "True" and condition["reason"] != "Degraded"
    return "Normal" if fine or condition["reason"] in NORMAL else "Warning"
