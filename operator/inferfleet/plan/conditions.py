"""Conditions: the table of what is said when, built whole from one view.

The one rule: Ready repeats the reason and message of the first truth that fails; Reconciling, Stalled and
UpdateAvailable are present only when True, and never the first two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferfleet.api.base import Json
from inferfleet.api.status import ConditionStatus
from inferfleet.plan.truth import Truth


@dataclass(frozen=True, slots=True)
class View:
    """All that conditions speak of. `waits` is set while a rollout waits for someone: NeedsOutage or Paused."""

    accepted: Truth
    cached: Truth
    scheduled: Truth
    loading: Truth
    """Why replicas that have a node do not serve yet."""
    wanted: int
    serving: int
    suspended: bool = False
    rolling: bool = False
    waits: str = ""
    step: str = ""
    moving: str = ""
    """How replicas get away from nodes that are going, and what they lack for it; empty if none has to."""
    overdue: int | None = None
    """Seconds without progress, once they passed the deadline."""
    update: str = ""
    """What a new revision would take up; empty if nothing."""

    @property
    def moves_well(self) -> bool:
        """Tell whether as many serve as are wanted while replicas move."""
        return bool(self.moving) and self.serving >= self.wanted


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: when it holds, and what Ready says then."""

    name: str
    holds: Callable[[View], bool]
    ready: Callable[[View], Truth]
    reconciling: bool = True
    stalled: bool = False


def _serve(view: View) -> str:
    return f"{view.serving} of {view.wanted} replicas serve."


def _as_wanted(view: View) -> Truth:
    if view.suspended:
        return Truth("True", "Suspended", "Suspended by spec.suspend: no replica runs; weights are kept.")
    if view.wanted == 0:
        return Truth("True", "ScaledToZero", "No replica is wanted.")
    return Truth("True", "Serving", _serve(view))


def _first_failing(view: View) -> Truth:
    """Find the first truth that fails on the way from the spec to an answer."""
    found = next((truth for truth in (view.accepted, view.cached, view.scheduled, view.loading) if truth.fails), None)
    return found or Truth("False", "Starting", _serve(view))


def _not_yet(view: View) -> Truth:
    found = _first_failing(view)
    return Truth("False", found.reason, found.message)


def _degraded(view: View) -> Truth:
    status: ConditionStatus = "True" if view.serving * 2 >= view.wanted else "False"
    found = _first_failing(view)
    return Truth(status, "Degraded", f"{_serve(view)} {found.reason}: {found.message}")


def _moving(view: View) -> Truth:
    return Truth("True", "Evacuating", f"{_serve(view)} {view.moving}")


def _rolling(view: View) -> Truth:
    return Truth("Unknown", view.waits or "RollingOut", view.step or "A new revision rolls out.")


def _overdue(view: View) -> Truth:
    found = _first_failing(view)
    words = f"No progress for {view.overdue} s. {found.reason}: {found.message}"
    return Truth("False", "ProgressDeadlineExceeded", words)


ROWS = (
    Row("served as wanted", lambda view: view.serving >= view.wanted, _as_wanted, reconciling=False),
    Row("nothing serves yet", lambda view: view.wanted > 0 and view.serving == 0, _not_yet),
    Row("fewer serve than wanted", lambda view: 0 < view.serving < view.wanted, _degraded),
    Row("rolling out", lambda view: view.rolling, _rolling),
    Row("waits for someone", lambda view: bool(view.waits), _rolling),
    Row("moves away", lambda view: view.moves_well, _moving),
    Row("invalid spec", lambda view: view.accepted.fails, _not_yet, reconciling=False, stalled=True),
    Row(
        "no progress",
        lambda view: view.overdue is not None and not view.waits and not view.accepted.fails and not view.moves_well,
        _overdue,
        reconciling=False,
        stalled=True,
    ),
)
"""The last row that holds wins."""


def truths(view: View) -> dict[str, Truth]:
    """Say what holds now: each condition that is present, by its type."""
    row = [each for each in ROWS if each.holds(view)][-1]
    ready = row.ready(view)
    found = {
        "Ready": ready,
        "Available": _available(view),
        "Accepted": view.accepted,
        "Cached": view.cached,
        "Scheduled": view.scheduled,
    }
    if row.stalled:
        found["Stalled"] = Truth("True", ready.reason, ready.message)
    elif row.reconciling:
        found["Reconciling"] = Truth("True", ready.reason, ready.message)
    if view.update:
        found["UpdateAvailable"] = Truth("True", "NewTemplate", view.update)
    return found


def _available(view: View) -> Truth:
    if view.serving:
        words = "1 replica serves." if view.serving == 1 else f"{view.serving} replicas serve."
        return Truth("True", "ReplicasServe", words)
    return Truth("False", "NoReplicaServes", "No replica serves.")


ORDER = ("Ready", "Available", "Reconciling", "Stalled", "Accepted", "Cached", "Scheduled", "UpdateAvailable")
LONGEST_MESSAGE = 2048
SHORT_MESSAGE = 256


def shortened(status: Json) -> Json:
    """Cut the messages of a status that the API server found too long."""
    cut = [{**each, "message": each["message"][:SHORT_MESSAGE]} for each in status["conditions"]]
    return {**status, "conditions": cut}


def conditions(found: dict[str, Truth], generation: int, previous: Sequence[Json], now: str) -> list[Json]:
    """Write truths as conditions; `lastTransitionTime` moves only when `status` moves. `now` is RFC 3339 text."""
    before = {condition["type"]: condition for condition in previous}
    written = []
    for kind in ORDER:
        if truth := found.get(kind):
            old = before.get(kind, {})
            moved = old.get("status") != truth.status
            written.append(
                {
                    "type": kind,
                    "status": truth.status,
                    "reason": truth.reason,
                    "message": truth.message[:LONGEST_MESSAGE],
                    "observedGeneration": generation,
                    "lastTransitionTime": now if moved else old["lastTransitionTime"],
                }
            )
    return written
