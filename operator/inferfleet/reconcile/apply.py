"""Apply: the writes of a plan, in order, each one harmless when done twice.

The one rule: an object is written only when it differs, never when it belongs to someone else, and each answer goes
into the cache. One that is refused stops only what needs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.errors import KubeError, NotReadyYet
from inferfleet.fleet import names
from inferfleet.fleet.revision import digest
from inferfleet.kube import facts
from inferfleet.kube.claims import growth, room_of, tie
from inferfleet.kube.client import Client
from inferfleet.kube.compare import differs
from inferfleet.kube.kinds import (
    CLAIMS,
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    JOBS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Kind,
    Ref,
    kind_of,
)
from inferfleet.plan.actions import Plan, Target
from inferfleet.plan.desired import Owner
from inferfleet.reconcile import manifests, ours
from inferfleet.reconcile.caches import Caches
from inferfleet.reconcile.queue import Key
from inferfleet.reconcile.tries import Tries
from inferfleet.render.record import rebuild


@dataclass(frozen=True, slots=True)
class Hand:
    """What writes go through, for one model."""

    client: Client
    caches: Caches
    config: FleetConfig
    owner: Owner
    tries: Tries = field(default_factory=Tries)

    @property
    def key(self) -> Key:
        """Name the model."""
        return Key(self.owner.namespace, self.owner.name)

    def ref(self, kind: Kind, name: str) -> Ref:
        """Name an object in the model's namespace."""
        return Ref(kind, self.owner.namespace, name)


async def apply(plan: Plan, hand: Hand) -> None:
    """Do every write of a plan but the status; raise at the end what kept one from being done."""
    tries, records = hand.tries, manifests.recorded(plan, hand.config)
    guarded = await _all(_apply, manifests.guards(plan, hand.config), hand)
    await _all(_apply, manifests.before_pods(plan, hand.owner), hand)
    guarded = guarded and _is_reachable(plan, hand)
    claimed = await _claims(plan, hand)
    started = plan.start is None or (
        guarded and claimed and await _all(_create, manifests.download(plan, hand.config), hand)
    )
    await _all(_create, records, hand)
    for note in plan.annotate:
        await tries.one(_annotate(hand, CONTROLLER_REVISIONS, note.target, dict(note.annotations)))
    await _mark_pods(plan, hand)
    await _size(plan, hand, guarded=guarded)
    await _remove(plan, hand, started=started)
    tries.settle()


def _is_reachable(plan: Plan, hand: Hand) -> bool:
    """Tell whether there is a Service of the model's own: without one its pods would take GPUs and serve nobody."""
    child = hand.caches.children[SERVICES].get(hand.owner.namespace, names.service_name(hand.owner.name))
    return not plan.children.served or (child is not None and child.owner == hand.owner.uid)


async def _all(write: Callable[[Json, Hand], Awaitable[None]], objects: Iterable[Json], hand: Hand) -> bool:
    """Write objects, each for itself; tell whether all of them are there as they should be."""
    done = [await hand.tries.one(write(each, hand)) for each in objects]
    return all(done)


async def _claims(plan: Plan, hand: Hand) -> bool:
    """Make claims and let them grow; tell whether all are there, whatever their size."""
    there = []
    for wanted in plan.children.claims:
        manifest = manifests.claim(wanted)
        there.append(await hand.tries.one(_claim(manifest, hand)))
        if there[-1] and wanted.sized:
            await hand.tries.one(_grow(manifest, hand))
    return all(there)


async def _size(plan: Plan, hand: Hand, *, guarded: bool) -> None:
    """Write the ReplicaSets: those that grow come first, and where one could not, none shrinks.

    No pod is made that is not guarded, or that nobody could reach; what is there goes on.
    """
    withheld = False
    for wanted in plan.children.sets:
        child = hand.caches.children[REPLICA_SETS].get(hand.owner.namespace, wanted.recorded.name)
        now = child.pods.wanted if child and child.pods else 0
        grows = wanted.replicas > now
        if not guarded and (child is None or grows):
            withheld = True
            if child is None:
                continue
        held = withheld and wanted.replicas != now
        sized = replace(wanted, replicas=now) if held else wanted
        done = await _all(_apply, manifests.before_replicas(wanted, hand.owner), hand)
        done = done and await hand.tries.one(_apply(manifests.replicas(sized, hand.owner), hand))
        withheld = withheld or (grows and not done)


async def _apply(manifest: Json, hand: Hand) -> None:
    """Make a child as the manifest says, if it is not; one that is in no cache may be there without our label."""
    kind, name = kind_of(manifest), manifest["metadata"]["name"]
    mark, child = digest(manifest)[:16], hand.caches.children[kind].get(hand.owner.namespace, name)
    if child is not None and child.owner == facts.owner_uid(manifest) and hand.caches.is_as(child, mark):
        return
    live = child.raw if child else await hand.client.get(kind, hand.owner.namespace, name)
    if live is not None:
        ours.refuse_foreign(live, kind, hand.owner)
    wanted = _signed(manifest, mark)
    if live is not None and (patch := ours.clearance(wanted, live, kind)):
        live = await _patch(patch, hand.ref(kind, name), hand)
    paths = differs(wanted, live) if live else []
    if live is None or paths:
        live = await hand.client.apply(wanted, kind)
        hand.caches.children[kind].learn(live)
        paths = differs(wanted, live)
    patch = ours.correction(wanted, live, kind, paths)
    if not patch and not paths:
        hand.caches.found_as(live, mark)
    await _patch(patch, hand.ref(kind, name), hand)


async def _patch(patch: Json, ref: Ref, hand: Hand) -> Json | None:
    if not patch:
        return None
    live = await hand.client.merge_patch(ref, patch)
    hand.caches.children[ref.kind].learn(live)
    return live


def _signed(manifest: Json, mark: str) -> Json:
    """Note the manifest's name in it, so that a field that we stop rendering is a difference too."""
    meta = manifest["metadata"]
    notes = {**meta.get("annotations", {}), names.APPLIED: mark}
    return {**manifest, "metadata": {**meta, "annotations": notes}}


async def _create(manifest: Json, hand: Hand) -> None:
    """Create what is never written again; one that is there must be ours, and is marked so."""
    kind, name = kind_of(manifest), manifest["metadata"]["name"]
    live = await _created(manifest, kind, hand)
    await _patch(ours.marks(manifest, live), hand.ref(kind, name), hand)


async def _created(manifest: Json, kind: Kind, hand: Hand) -> Json:
    """Find a child in the cache, or create it; one that turns out to be there already must be ours too."""
    child = hand.caches.children[kind].get(hand.owner.namespace, manifest["metadata"]["name"])
    live = child.raw if child else await hand.client.ensure(manifest, kind)
    ours.refuse_foreign(live, kind, hand.owner)
    if child is None:
        hand.caches.children[kind].learn(live)
    return live


async def _claim(manifest: Json, hand: Hand) -> None:
    """Make a claim, and tie it to the model or untie it as the user wishes."""
    kind, name = kind_of(manifest), manifest["metadata"]["name"]
    live = await _created(manifest, kind, hand)
    await _patch(ours.labelled(tie(manifest, live), manifest, live), hand.ref(kind, name), hand)


async def _grow(manifest: Json, hand: Hand) -> None:
    """Give a claim the room that the user asks for; say what to do where its class cannot."""
    ref = hand.ref(CLAIMS, manifest["metadata"]["name"])
    child = hand.caches.children[CLAIMS].get(hand.owner.namespace, ref.name)
    patch = growth(manifest, child.raw) if child else {}
    try:
        await _patch(patch, ref, hand)
    except KubeError as error:
        if child is None or error.status not in (403, 422):
            raise
        message = (
            f"Claim {ref.name} has {room_of(child.raw)} and cannot grow to {room_of(manifest)}: {error.message} "
            f"Set spec.cache.size back to {room_of(child.raw)}, or use a StorageClass with allowVolumeExpansion."
        )
        raise NotReadyYet("ClaimCannotGrow", message, retry_after=300.0) from error


async def _annotate(hand: Hand, kind: Kind, target: Target, notes: dict[str, Any]) -> None:
    patch = {
        "metadata": {"uid": target.uid, "annotations": {f"inferfleet.dev/{key}": note for key, note in notes.items()}}
    }
    hand.caches.children[kind].learn(await hand.client.merge_patch(hand.ref(kind, target.name), patch))


async def _mark_pods(plan: Plan, hand: Hand) -> None:
    """Set traffic labels and deletion costs."""
    marks: list[tuple[Target, Json]] = [
        (route.target, {"labels": {names.TRAFFIC: route.traffic}}) for route in plan.route
    ]
    marks += [(cost.target, {"annotations": {names.DELETION_COST: str(cost.cost)}}) for cost in plan.costs]
    for target, change in marks:
        await hand.tries.one(_mark(target, change, hand))


async def _mark(target: Target, change: Json, hand: Hand) -> None:
    """Mark a pod, by uid; one that is gone needs no mark."""
    try:
        answer = await hand.client.merge_patch(hand.ref(PODS, target.name), {"metadata": {"uid": target.uid, **change}})
    except KubeError as error:
        if error.status not in (404, 409):
            raise
    else:
        hand.caches.pods.learn(answer)


async def restore(hand: Hand) -> None:
    """Take in what lost its owner, and make lost records again, before anything is decided on what is left."""
    for kind in (CONTROLLER_REVISIONS, JOBS):
        for child in hand.caches.owned(kind, hand.key, hand.owner.uid):
            if not child.owner:
                await hand.tries.one(_patch(ours.adoption(child.raw, hand.owner), hand.ref(kind, child.name), hand))
    await _restore_records(hand)


async def _restore_records(hand: Hand) -> None:
    sets, records, maps = (
        {child.name: child for child in hand.caches.owned(kind, hand.key, hand.owner.uid)}
        for kind in (REPLICA_SETS, CONTROLLER_REVISIONS, CONFIG_MAPS)
    )
    for name in sorted(sets.keys() - records.keys()):
        try:
            manifest = rebuild(sets[name].raw, [found.raw for found in maps.values()], hand.owner)
        except ValueError as error:
            message = (
                f"ReplicaSet {name} has lost its ControllerRevision and its own note of it; delete the ReplicaSet."
            )
            raise NotReadyYet("RecordLost", message, retry_after=60.0) from error
        await _create(manifest, hand)


async def _remove(plan: Plan, hand: Hand, *, started: bool) -> None:
    """Delete what is no longer wanted, by uid; a download stays until the one that takes its place is there."""
    for gone in plan.delete_pods:
        await hand.tries.one(
            hand.client.delete(hand.ref(PODS, gone.target.name), gone.target.uid, grace_seconds=gone.grace)
        )
    for kind, targets in (
        (JOBS, plan.remove_downloads if started else ()),
        (REPLICA_SETS, plan.remove_sets),
        (CONTROLLER_REVISIONS, plan.remove_records),
    ):
        for target in targets:
            await hand.tries.one(hand.client.delete(hand.ref(kind, target.name), target.uid))
    await _remove_unneeded(plan, hand)


async def _remove_unneeded(plan: Plan, hand: Hand) -> None:
    """Delete held Services and ConfigMaps of revisions that need them no more."""
    kept_services = {names.service_name(hand.owner.name), *plan.keep_held}
    kept_maps = {wanted.recorded.name for wanted in plan.children.sets}
    for kind, kept in ((SERVICES, kept_services), (CONFIG_MAPS, kept_maps)):
        for child in hand.caches.children[kind].indexed(str(hand.key)):
            if plan.children.served and child.name not in kept and child.owner == hand.owner.uid:
                await hand.tries.one(hand.client.delete(hand.ref(kind, child.name), child.uid))
