"""Which children should exist, and which should go.

The one rule: what is in use stays: a record that has a ReplicaSet, the target, and the newest that was good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inferfleet.fleet import names
from inferfleet.fleet.downloads import Download
from inferfleet.fleet.replicas import Replica
from inferfleet.fleet.revision import Recorded
from inferfleet.plan.actions import Target, Watched
from inferfleet.plan.desired import Budget, Children, Overlay, WantedClaim, WantedPolicies, WantedSet
from inferfleet.plan.rollout import Line
from inferfleet.plan.scene import Scene

KEPT_RECORDS = 5


def children(
    scene: Scene, sizes: Mapping[str, int], proven: frozenset[str], avoid: tuple[str, ...], *, downloads: bool
) -> Children:
    """List everything that should exist besides downloads and records; new pods avoid some nodes.

    `downloads`: a download is there or starts now, so that it needs its claim.
    """
    return Children(
        sets=_sets(scene, sizes, proven, avoid),
        claims=_claims(scene, downloads=downloads),
        policies=WantedPolicies(scene.owner, scene.spec.access.egress == "Allow", scene.cache.kind == "Pod"),
        served=True,
        budget=_budget(scene),
        held=tuple(sorted(record.revision for record in _unproven(scene, proven) if scene.snapshot.set_of(record))),
    )


def _sets(
    scene: Scene, sizes: Mapping[str, int], proven: frozenset[str], avoid: tuple[str, ...]
) -> tuple[WantedSet, ...]:
    """List the ReplicaSets, those that grow first: a new pod then waits for the GPU that an old one frees."""
    current = {line.name: line.size for line in scene.lines}
    used = [record for record in scene.snapshot.recorded if record.name in current or sizes.get(record.name, 0)]
    found = [WantedSet(each, sizes.get(each.name, 0), _overlay(scene, each.name in proven, avoid)) for each in used]
    return tuple(sorted(found, key=lambda wanted: wanted.replicas <= current.get(wanted.recorded.name, 0)))


def _overlay(scene: Scene, is_proven: bool, avoid: tuple[str, ...]) -> Overlay:
    return Overlay(
        traffic="serving" if is_proven else "held",
        drain_seconds=scene.spec.rollout.drain_timeout_seconds,
        priority_class=scene.spec.limits.priority_class or "",
        avoid_nodes=avoid,
    )


def _claims(scene: Scene, *, downloads: bool) -> tuple[WantedClaim, ...]:
    cache = scene.cache
    if not cache.ours or (scene.record is None and not downloads):
        return ()
    size = scene.spec.cache.size or cache.size
    gone_with_model = scene.spec.cache.when_deleted == "Delete"
    sized = scene.spec.cache.size is not None
    return (WantedClaim(scene.owner, cache.claim, size, cache.storage_class, gone_with_model, sized),)


def _budget(scene: Scene) -> Budget:
    """Keep the last replica from evictions unless the user allows the outage: it is replaced first."""
    alone = scene.wanted <= 1 and scene.spec.rollout.outage == "Ask"
    return Budget(0 if alone else "10%")


def _unproven(scene: Scene, proven: frozenset[str]) -> list[Recorded]:
    return [record for record in scene.snapshot.recorded if record.name not in proven]


def held_services(scene: Scene, proven: frozenset[str]) -> frozenset[str]:
    """Name the held Services that stay."""
    found = [record for record in _unproven(scene, proven) if scene.snapshot.set_of(record)]
    return frozenset(names.held_service_name(scene.owner.name, record.revision) for record in found)


def held_back(lines: Iterable[Line], sizes: Mapping[str, int]) -> dict[str, int]:
    """Hold every shrink for a beat: the marks of who goes first must be seen before the ReplicaSet shrinks."""
    current = {line.name: line.size for line in lines}
    return {name: max(size, current.get(name, 0)) for name, size in sizes.items()}


def in_use(scene: Scene) -> set[str]:
    """Name the records that are in use: with a ReplicaSet, the target, and the newest that was good."""
    newest_good = max(
        (record for record in scene.snapshot.recorded if record.good), key=lambda record: record.number, default=None
    )
    used = {record.name for record in scene.snapshot.recorded if scene.snapshot.set_of(record)}
    return used | {record.name for record in (scene.record, newest_good) if record}


def commits_in_use(scene: Scene) -> tuple[str, ...] | None:
    """Name the directories of commits that stay on the model's own claim, as SOURCE-DIRECTORY/COMMIT.

    None: a record was rebuilt without its spec, so that it is not known what is in use.
    """
    used = in_use(scene)
    kept = [record for record in scene.snapshot.recorded if record.name in used]
    if not all(record.spec for record in kept):
        return None
    return tuple(sorted({f"{names.source_directory(each.spec['model']['source'])}/{each.commit}" for each in kept}))


def old_records(scene: Scene) -> tuple[Target, ...]:
    """Choose the records that go: all but those in use and the newest five of the others."""
    used = in_use(scene)
    spare = sorted((r for r in scene.snapshot.recorded if r.name not in used), key=lambda record: -record.number)
    return tuple(Target(record.name, record.uid) for record in spare[KEPT_RECORDS:])


@dataclass(frozen=True, slots=True)
class Stillborn:
    """What goes of a revision that is made anew."""

    sets: tuple[Target, ...] = ()
    records: tuple[Target, ...] = ()


def stillborn(scene: Scene) -> Stillborn:
    """Find a target that never started, and would be made otherwise today: a wrong image or registry was mended."""
    record = scene.record
    if record is None or scene.frozen or record.proven or record.name not in scene.snapshot.updates:
        return Stillborn()
    replicas = scene.snapshot.replicas_of(record)
    if any(each.ready or each.ready_at for each in replicas) or not any(_cannot_start(each) for each in replicas):
        return Stillborn()
    pod_set = scene.snapshot.set_of(record)
    sets = (Target(pod_set.name, pod_set.uid),) if pod_set and not pod_set.terminating else ()
    return Stillborn(sets, (Target(record.name, record.uid),))


def _cannot_start(replica: Replica) -> bool:
    return replica.blocker is not None and replica.blocker.reason in ("ImagePullFailed", "ContainerCannotStart")


def empty_sets(scene: Scene, sizes: Mapping[str, int]) -> tuple[Target, ...]:
    """Choose the ReplicaSets that go: of another revision, at zero, with their last pod gone."""
    target = scene.record.name if scene.record else ""
    busy = {(replica.revision, replica.shape) for replica in scene.snapshot.replicas}
    return tuple(
        Target(found.name, found.uid)
        for found in scene.snapshot.sets
        if found.name != target
        and not found.terminating
        and found.wanted == 0
        and found.existing == 0
        and sizes.get(found.name, 0) == 0
        and (found.revision, found.shape) not in busy
    )


def stale_downloads(scene: Scene, replaced: tuple[Download, ...]) -> tuple[Target, ...]:
    """Choose the download Jobs that go: replaced attempts, and those of revisions whose weights may go any time."""
    used = in_use(scene)
    kept = {record.revision for record in scene.snapshot.recorded if record.name in used}
    kept |= {scene.revision, scene.asked}
    gone = [job for job in scene.snapshot.downloads if job.revision not in kept]
    return tuple(Target(job.name, job.uid) for job in (*replaced, *gone) if not job.terminating)


def watched(scene: Scene) -> tuple[Watched, ...]:
    """List the replicas whose model is probed."""
    found = []
    for record in scene.snapshot.recorded:
        probe = next((m.probe for m in record.repository.models if m.name == record.model and m.probe), "")
        found += [
            Watched(replica.uid, replica.restarts, replica.ip, record.model, probe, replica.ready)
            for replica in scene.snapshot.replicas_of(record)
            if replica.alive and replica.ip and not replica.blocker
        ]
    return tuple(found)
