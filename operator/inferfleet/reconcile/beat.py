"""One beat: observe, plan, apply, write status, say when to look again.

The one rule: it starts from the object as the API server has it now, and nothing it needs is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from inferfleet.api.base import Json
from inferfleet.errors import InferfleetError, KubeError, NotReadyYet, SpecError
from inferfleet.fleet.snapshot import Snapshot
from inferfleet.kube.client import Client
from inferfleet.kube.events import EventRecorder
from inferfleet.kube.kinds import MODEL_DEPLOYMENTS, Ref
from inferfleet.plan.actions import Announce, Plan
from inferfleet.plan.conditions import shortened
from inferfleet.plan.decide import decide
from inferfleet.plan.desired import Owner
from inferfleet.plan.telling import report
from inferfleet.plan.truth import Truth
from inferfleet.reconcile.apply import Hand, apply, restore
from inferfleet.reconcile.leftovers import clear
from inferfleet.reconcile.observe import Sources, observe
from inferfleet.reconcile.queue import Key
from inferfleet.reconcile.verdict import concerns_one_object, verdict
from inferfleet.reconcile.workers import NEVER

TOO_LARGE = (413, 422)


@dataclass(frozen=True, slots=True)
class Beat:
    """All that beats share; `now` is seconds since the epoch."""

    client: Client
    sources: Sources
    recorder: EventRecorder
    now: Callable[[], float]
    written: dict[Key, str] = field(default_factory=dict)
    """The version that each model had when we wrote its status."""

    async def run(self, key: Key) -> float | None:
        """Look at one model and do what it needs; return in how many seconds to look again, None for the resync."""
        raw = await self.client.get(MODEL_DEPLOYMENTS, key.namespace, key.name)
        if raw is None or "deletionTimestamp" in raw["metadata"]:
            self._forget(key)
            return NEVER if raw else await clear(key, self.client, self.sources.caches)
        hand = self._hand(raw)
        self.sources.caches.exists(key, hand.owner.uid)
        lost = await _restored(hand)
        now = self.now()
        snapshot = observe(raw, self.sources)
        plan = decide(snapshot, self.sources.config, now)
        if lost is None:
            self._watch(key, plan)
            trouble = await self._apply(plan, snapshot, hand, now)
        else:
            trouble = _trouble(lost, snapshot, plan, now)
        await self._write_status(raw, plan.status if trouble is None else trouble.status)
        self._tell(raw, plan.announce if trouble is None else trouble.announce)
        if trouble is not None:
            raise trouble.error
        return plan.again

    def _hand(self, raw: Json) -> Hand:
        meta = raw["metadata"]
        owner = Owner(meta["namespace"], meta["name"], meta["uid"])
        return Hand(self.client, self.sources.caches, self.sources.config, owner)

    async def _apply(self, plan: Plan, snapshot: Snapshot, hand: Hand, now: float) -> Trouble | None:
        """Apply a plan, or the one that remains where its record is refused."""
        try:
            return await _applied(plan, snapshot, hand, now)
        except SpecError as error:
            refused = decide(snapshot, self.sources.config, now, error)
            trouble = await _applied(refused, snapshot, hand, now)
            said = NotReadyYet(error.reason, error.message, retry_after=300.0)
            return trouble or Trouble(said, refused.status, refused.announce)

    async def _write_status(self, raw: Json, status: Json) -> None:
        """Write status if it says anything new; one that is refused, with short messages."""
        short = shortened(status)
        if raw.get("status") in (status, short):
            return
        meta = raw["metadata"]
        ref = Ref(MODEL_DEPLOYMENTS, meta["namespace"], meta["name"])
        try:
            answer = await self.client.patch_status(ref, status, meta["resourceVersion"])
        except KubeError as error:
            if error.status not in TOO_LARGE or short == status:
                raise
            answer = await self.client.patch_status(ref, short, meta["resourceVersion"])
        self.written[Key(meta["namespace"], meta["name"])] = answer["metadata"]["resourceVersion"]

    def _watch(self, key: Key, plan: Plan) -> None:
        """Say which pods are to be probed, and whether the model waits for a GPU."""
        self.sources.prober.watch(key, plan.watched)
        conditions = {each["type"]: each["status"] for each in plan.status.get("conditions", [])}
        ready, scheduled = conditions.get("Ready") == "True", conditions.get("Scheduled")
        # While it is not known what is to be scheduled, a GPU more or less makes no difference.
        waits = scheduled == "False" or (scheduled == "True" and not ready)
        self.sources.caches.concern(key, settled=ready and scheduled == "True", waits=waits)

    def _forget(self, key: Key) -> None:
        self.sources.prober.forget(key)
        self.sources.caches.exists(key, "")
        self.sources.caches.concern(key, settled=True, waits=False)
        self.written.pop(key, None)

    def _tell(self, raw: Json, announce: tuple[Announce, ...]) -> None:
        meta = raw["metadata"]
        about = Ref(MODEL_DEPLOYMENTS, meta["namespace"], meta["name"])
        for each in announce:
            self.recorder.record(about, meta["uid"], each.kind, each.reason, each.message)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong while a plan was applied, and what status and events say of it."""

    error: InferfleetError
    status: Json
    announce: tuple[Announce, ...]


async def _applied(plan: Plan, snapshot: Snapshot, hand: Hand, now: float) -> Trouble | None:
    """Apply a plan; what goes wrong with it is said in status before it is raised."""
    try:
        await apply(plan, hand)
    except SpecError:
        raise
    except InferfleetError as error:
        return _trouble(error, snapshot, plan, now)
    return None


def _trouble(error: InferfleetError, snapshot: Snapshot, plan: Plan, now: float) -> Trouble:
    """Work out what is said of an error; one that passes by itself says nothing of itself."""
    found = verdict(error)
    if not found.is_worth_telling:
        if not concerns_one_object(error):
            raise error
        return Trouble(error, plan.status, plan.announce)
    status, announce = report(snapshot, plan, Truth("False", found.reason, found.message), now)
    if isinstance(error, NotReadyYet) and plan.again is not None:
        error = NotReadyYet(error.reason, error.message, retry_after=min(error.retry_after, plan.again))
    return Trouble(error, status, announce)


async def _restored(hand: Hand) -> InferfleetError | None:
    """Restore what was lost; return why that is not possible, since nothing may be applied on what is left."""
    try:
        await restore(hand)
    except InferfleetError as error:
        return error
    return None
