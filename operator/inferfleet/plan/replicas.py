"""What is done to single replicas: who gets traffic, who goes first, who is dead.

The one rule: a replica gets traffic after a real inference, and is taken away only with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inferfleet.fleet.replicas import Replica
from inferfleet.plan.actions import Cost, DeletePod, Route, Target
from inferfleet.plan.rollout import Line

DEAD_GRACE = 30
FIRST_TO_GO, LAST_TO_GO = -100, 100


def routes(lines: Iterable[Line], proven: frozenset[str]) -> tuple[Route, ...]:
    """Send requests to every proven replica of a proven revision that has none yet."""
    return tuple(
        Route(Target(replica.name, replica.uid), "serving")
        for line in lines
        if line.name in proven
        for replica in line.replicas
        if replica.alive and replica.ready and replica.traffic == "held" and replica.proof.proven
    )


def victims(lines: Iterable[Line], sizes: Mapping[str, int]) -> tuple[Cost, ...]:
    """Mark who goes first in each revision that is about to shrink; empty when all marks are set."""
    marks: list[Cost] = []
    for line in lines:
        alive = [replica for replica in line.replicas if replica.alive]
        if 0 < sizes.get(line.name, 0) < len(alive):
            marks += _marks(alive, len(alive) - sizes[line.name])
    return tuple(marks)


def _marks(alive: list[Replica], count: int) -> list[Cost]:
    ranked = sorted(alive, key=_worth)
    first = {replica.uid for replica in ranked[:count]}
    wanted = {replica.uid: FIRST_TO_GO if replica.uid in first else LAST_TO_GO for replica in alive}
    return [
        Cost(Target(replica.name, replica.uid), wanted[replica.uid])
        for replica in ranked
        if replica.deletion_cost != wanted[replica.uid]
    ]


def _worth(replica: Replica) -> tuple[bool, bool, bool, int, float]:
    """Order replicas from the first to go: what serves nobody, what leaves anyway, then the least in flight.

    One that is marked already stays so among its equals: what is in flight changes all the time.
    """
    return (
        replica.serves and not replica.leaving,
        not replica.leaving,
        replica.deletion_cost != FIRST_TO_GO,
        replica.in_flight,
        -replica.created,
    )


def dying(lines: Iterable[Line]) -> tuple[Replica, ...]:
    """Find pods that have ended by themselves, and replicas whose model is dead: so many as may be replaced at once.

    A verdict that is wrong about one is wrong about all: the next goes when the replacement of the last one serves.
    """
    found: list[Replica] = []
    for line in lines:
        alive = [replica for replica in line.replicas if replica.alive]
        dead = [replica for replica in alive if replica.proof.dead]
        starting = max(line.size, len(alive)) - sum(each.serves or each.proof.dead for each in alive)
        room = max(1, line.size // 10) - starting
        found += [replica for replica in line.replicas if replica.finished and not replica.terminating]
        found += dead[: max(0, room)]
    return tuple(found)


def bury(replica: Replica) -> DeletePod:
    """Delete a replica that has ended, or whose model is dead."""
    if replica.finished:
        message = f"{replica.name} has ended; another starts."
        return DeletePod(Target(replica.name, replica.uid), None, "ReplicaEnded", message)
    message = (
        f"{replica.name} on {replica.node} lives and its model does not answer ({replica.proof.error}); another starts."
    )
    return DeletePod(Target(replica.name, replica.uid), DEAD_GRACE, "ModelDead", message)
