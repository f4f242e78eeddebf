"""Nodes on which models died: noted in records, so that the next leader knows, and avoided for a time.

The one rule: other nodes are preferred and none is forbidden: a model that dies everywhere still runs somewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from inferfleet.fleet.replicas import Replica
from inferfleet.fleet.revision import Recorded
from inferfleet.plan.progress import format_time, parse_time

AVOIDED_SECONDS = 3600.0
DEATHS = 2
"""So many deaths on one node are the node's."""
KEPT = 8


@dataclass(frozen=True, slots=True)
class Death:
    """A replica whose model died; `at` is seconds since the epoch."""

    node: str
    at: float
    pod: str
    """The beginning of the pod's uid, so that no death is noted twice."""


def noted(record: Recorded, dying: Iterable[Replica], now: float) -> str:
    """Write the record's note with the models that died now; the note as it is if that is nothing new."""
    known = _read(record.deaths)
    pods = {death.pod for death in known}
    new = [
        Death(replica.node, now, replica.uid[:8])
        for replica in dying
        if replica.proof.dead and replica.node and (replica.revision, replica.shape) == _of(record)
    ]
    added = [death for death in new if death.pod not in pods]
    return _written([*known, *added][-KEPT:]) if added else record.deaths


def avoided(notes: Iterable[str], now: float) -> tuple[str, ...]:
    """Name the nodes on which at least two replicas died within the last hour, whatever their revision."""
    recent = Counter(death.node for note in notes for death in _read(note) if now - death.at < AVOIDED_SECONDS)
    return tuple(sorted(node for node, deaths in recent.items() if deaths >= DEATHS))


def _of(record: Recorded) -> tuple[str, str]:
    return record.revision, record.shape.short


def _read(note: str) -> list[Death]:
    """Read a note; what somebody else wrote into it is passed over."""
    found = []
    for word in note.split():
        node, _, rest = word.partition("@")
        at, _, pod = rest.partition("/")
        try:
            found.append(Death(node, parse_time(at), pod))
        except ValueError:
            continue
    return found


def _written(deaths: Iterable[Death]) -> str:
    return " ".join(f"{death.node}@{format_time(death.at)}/{death.pod}" for death in deaths)
