"""The whole decision of one beat: a snapshot in, every write and the whole status out.

The one rule: the same snapshot at the same moment gives the same plan, and a settled model gives no write.
"""

from __future__ import annotations

from inferfleet.api.config import FleetConfig
from inferfleet.engines import triton
from inferfleet.errors import SpecError
from inferfleet.fleet.snapshot import Snapshot
from inferfleet.plan import children, deaths, replicas, telling
from inferfleet.plan.actions import Annotate, Announce, Plan, Target
from inferfleet.plan.desired import ServingPlan, WantedRecord
from inferfleet.plan.placement import Placement, Refusal, free_slots, node_views, place, quota_slots
from inferfleet.plan.progress import format_time
from inferfleet.plan.rollout import Line, RolloutFacts, Step, next_step
from inferfleet.plan.scene import Scene, look
from inferfleet.plan.telling import Decided
from inferfleet.plan.truth import Truth
from inferfleet.plan.weights import WeightsFacts, WeightsPlan, plan_weights

STUCK_SECONDS = 30.0
"""How long a scheduler may look for a node before a free GPU is no longer believed in."""


def decide(snapshot: Snapshot, config: FleetConfig, now: float, refused: SpecError | None = None) -> Plan:
    """Decide one beat. `refused` is what rendering the target's record said to it, if it was refused."""
    scene = look(snapshot, config, now, refused)
    if isinstance(scene, Truth):
        return telling.nothing_but_status(snapshot, scene, now)
    try:
        return _assemble(_decide(scene))
    except SpecError as error:
        if refused:
            raise
        return decide(snapshot, config, now, error)


def _decide(scene: Scene) -> Decided:
    placed = _place(scene)
    refusal = Truth("False", placed.reason, placed.message) if isinstance(placed, Refusal) else None
    placement = placed if isinstance(placed, Placement) else None
    weights = _weights(scene, refusal)
    lines = scene.lines
    step = _step(scene, lines, placement, weights)
    proven = frozenset(record.name for record in scene.snapshot.recorded if record.proven) | _just_proven(lines)
    dying = replicas.dying(lines)
    died = {record.name: deaths.noted(record, dying, scene.now) for record in scene.snapshot.recorded}
    return Decided(scene, weights, placement, refusal, step, lines, proven, dying, died)


def _place(scene: Scene) -> Placement | Refusal:
    """Place a replica of the target: in the class that was recorded, else wherever the spec allows."""
    snapshot, record = scene.snapshot, scene.record
    size = record.repository.total_bytes if record else scene.known_bytes
    if record is None or not record.shape.gpus:
        return place(scene.spec, size, snapshot.fleet, snapshot.quotas, scene.config)
    found = next((each for each in scene.config.classes if each.name == record.shape.product), None)
    if found is None:
        return Refusal("NoSuchProduct", f"The class {record.shape.product} is no longer in the chart's values.")
    free = free_slots(node_views(scene.spec, found, snapshot.fleet), record.shape.gpus)
    waiting = sum(replica.alive and not replica.bound for replica in snapshot.replicas)
    allowed = quota_slots(snapshot.quotas, record.shape.gpus) + waiting
    return Placement(record.shape, record.products, min(free, allowed), record.why)


def _weights(scene: Scene, refusal: Truth | None) -> WeightsPlan:
    if scene.record is None and (refusal or not scene.wanted):
        what = "a node can hold the model" if refusal else "a replica is wanted"
        return WeightsPlan(Truth("Unknown", "NotStarted", f"The download starts when {what}."))
    record = scene.record
    replicas_there = scene.snapshot.replicas_of(record) if record else ()
    facts = WeightsFacts(
        scene.owner,
        scene.spec,
        scene.revision,
        scene.cache,
        record,
        scene.snapshot.downloads,
        scene.now,
        in_use=children.commits_in_use(scene),
        missing=any(each.blocker and each.blocker.reason == "WeightsMissing" for each in replicas_there),
    )
    return plan_weights(facts)


def _step(scene: Scene, lines: tuple[Line, ...], placement: Placement | None, weights: WeightsPlan) -> Step:
    """Take the next step; a revision takes no GPU before its weights are there, a refused spec moves nothing."""
    if scene.frozen:
        return Step({line.name: line.size for line in lines}, done=True)
    record = scene.record
    target = scene.line(record) if record else None
    if target and not target.size and not target.replicas and weights.cached.status != "True":
        target = None
    old = tuple(line for line in lines if not record or line.name != record.name)
    facts = RolloutFacts(
        wanted=scene.wanted,
        target=target,
        old=old,
        slots=placement.slots if placement and not (target and _is_stuck(scene, target)) else 0,
        consent=scene.spec.rollout.outage == "Allow",
        paused=scene.spec.rollout.paused,
        replace_only=scene.snapshot.fleet.blind,
    )
    return next_step(facts)


def _is_stuck(scene: Scene, target: Line) -> bool:
    """Tell whether replicas cannot start although GPUs are free: a quota, or CPU and memory that are used up."""
    pod_set = next((found for found in scene.snapshot.sets if found.name == target.name), None)
    if pod_set and "exceeded quota" in pod_set.blocked:
        return True
    return any(
        replica.alive and not replica.bound and replica.blocker and scene.now - replica.created > STUCK_SECONDS
        for replica in target.replicas
    )


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
    stillborn = children.stillborn(scene)
    body, again = telling.status(decided)
    gone = tuple(map(replicas.bury, decided.dying))
    avoid = deaths.avoided(decided.died.values(), scene.now)
    return Plan(
        children=children.children(scene, sizes, decided.proven, avoid, downloads=_downloads(decided)),
        start=weights.start,
        record=_record(decided),
        annotate=_annotations(decided),
        route=replicas.routes(decided.lines, decided.proven),
        costs=costs,
        delete_pods=gone,
        remove_downloads=children.stale_downloads(scene, weights.remove),
        remove_sets=(*children.empty_sets(scene, decided.step.sizes), *stillborn.sets),
        remove_records=(*children.old_records(scene), *stillborn.records),
        keep_held=children.held_services(scene, decided.proven),
        watched=children.watched(scene),
        status=body,
        announce=(
            *telling.announce(scene.snapshot, body["conditions"]),
            *(Announce("Warning", each.reason, each.message) for each in gone),
            *_newly_avoided(scene, avoid),
        ),
        again=again,
    )


def _downloads(decided: Decided) -> bool:
    scene = decided.scene
    return decided.weights.start is not None or any(job.revision == scene.revision for job in scene.snapshot.downloads)


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


def _annotations(decided: Decided) -> tuple[Annotate, ...]:
    scene = decided.scene
    moment = format_time(scene.now)
    notes: dict[str, dict[str, str]] = {}
    for record in scene.snapshot.recorded:
        if record.name in decided.proven and not record.proven:
            notes.setdefault(record.name, {})["proven"] = moment
        if decided.died[record.name] != record.deaths:
            notes.setdefault(record.name, {})["deaths"] = decided.died[record.name]
    if decided.settled and scene.record and scene.wanted and not scene.record.good:
        notes.setdefault(scene.record.name, {})["good"] = moment
    uids = {record.name: record.uid for record in scene.snapshot.recorded}
    return tuple(Annotate(Target(name, uids[name]), found) for name, found in notes.items())


def _newly_avoided(scene: Scene, avoid: tuple[str, ...]) -> tuple[Announce, ...]:
    before = deaths.avoided([record.deaths for record in scene.snapshot.recorded], scene.now)
    words = "Models died on {} again and again; new replicas prefer other nodes for an hour."
    return tuple(Announce("Warning", "NodeAvoided", words.format(node)) for node in avoid if node not in before)
