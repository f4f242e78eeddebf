"""How one revision replaces another: facts in, one safe step out, with its reason.

The one rule: all that moves replicas between revisions is in this file. A step never takes the last serving replica
without consent, adds at most one replica above the wanted count, and does nothing when it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from inferfleet.fleet.replicas import Replica

Strategy = Literal["", "Surge", "Replace"]


@dataclass(frozen=True, slots=True)
class Line:
    """The replicas of one revision: what its ReplicaSet asks for, and its pods."""

    name: str
    revision: str
    size: int
    replicas: tuple[Replica, ...] = ()
    proven: bool = False
    """It has answered real requests before."""
    recovering: int = 0
    """Replicas of a proven revision that do not serve at the moment and may again within minutes."""

    @property
    def protected(self) -> int:
        """Replicas that nothing is taken from as if they were idle."""
        return self.serving + self.recovering

    @property
    def counted(self) -> int:
        """Replicas that a rollout may count on: requests are sent to them, and a real inference was answered."""
        return sum(replica.serves and replica.proof.proven for replica in self.replicas)

    @property
    def serving(self) -> int:
        """Replicas that requests are sent to."""
        return sum(replica.serves for replica in self.replicas)

    @property
    def going(self) -> int:
        """Replicas that still drain."""
        return sum(replica.terminating for replica in self.replicas)

    @property
    def unplaced(self) -> int:
        """Replicas that have no node, or no pod yet."""
        alive = [replica for replica in self.replicas if replica.alive]
        return sum(not replica.bound for replica in alive) + max(0, self.size - len(alive))


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """What the step is decided on. `slots` counts replicas of the target's shape for which GPUs are free now."""

    wanted: int
    target: Line | None
    old: tuple[Line, ...] = ()
    slots: int = 0
    consent: bool = False
    paused: bool = False
    replace_only: bool = False
    """Pods of other namespaces may not be seen, so free GPUs cannot be counted."""


@dataclass(frozen=True, slots=True)
class Step:
    """Sizes of all lines after this step, and why; `waits` is a reason when the next step waits for someone."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    strategy: Strategy = ""
    why: str = ""
    step: str = ""
    waits: str = ""
    evacuates: bool = False
    """Replicas move away from nodes that are going."""
    done: bool = False


def next_step(facts: RolloutFacts) -> Step:
    """Decide the sizes of all revisions for this beat."""
    sizes = {line.name: line.size for line in (*facts.old, *((facts.target,) if facts.target else ()))}
    current = Step(sizes)
    old = tuple(line for line in facts.old if line.size or line.replicas)
    if facts.target is None:
        return _hold_old(current, old, facts.wanted)
    if not old:
        return _alone(current, facts, facts.target)
    if facts.wanted == 0:
        return replace(current, sizes=dict.fromkeys(sizes, 0), step="No replica is wanted.", done=True)
    if not any(line.size for line in old) and facts.target.size == facts.wanted:
        return replace(current, step="The last old replicas drain.")
    if facts.paused:
        return replace(current, step="Paused by spec.rollout.paused.", waits="Paused")
    if not any(line.protected for line in old):
        return _nothing_to_protect(current, facts, facts.target)
    return _roll(current, facts, facts.target, old)


def _hold_old(current: Step, old: tuple[Line, ...], wanted: int) -> Step:
    """Keep the wanted count on what serves, or did, while no target is ready to start."""
    if not old:
        return replace(current, done=True)
    keeper = max(old, key=lambda line: (line.serving, line.recovering, line.proven))
    others = {line.name: line.size if line.protected else 0 for line in old if line is not keeper}
    rest = max(0, wanted - sum(others.values()))
    return replace(current, sizes={**current.sizes, **others, keeper.name: rest}, done=True)


def _alone(current: Step, facts: RolloutFacts, target: Line) -> Step:
    """No other revision is there: the wanted count at once, down or up."""
    wanted = facts.wanted
    leaving = [replica for replica in target.replicas if replica.alive and replica.leaving]
    spare = 1 if leaving and wanted else 0
    if not spare or target.size < wanted:
        return replace(current, sizes={**current.sizes, target.name: wanted}, done=True)
    return _evacuate(current, facts, target)


def _evacuate(current: Step, facts: RolloutFacts, target: Line) -> Step:
    """Replicas sit on nodes that go away: one more first, then a leaving one goes, and so on."""
    wanted = facts.wanted
    if facts.consent and not facts.slots and (target.size == wanted or target.unplaced):
        # A replica that waits would count in the disruption budget, and so keep the eviction that is allowed.
        words = "A replica is on a node that goes away. No GPU is free for another; the outage is allowed."
        return replace(current, sizes={**current.sizes, target.name: wanted}, step=words, evacuates=True, done=True)
    if target.size > wanted and target.counted <= wanted:
        words = "A replica on a node that goes away waits for its replacement."
        return replace(current, step=words, evacuates=True, done=True)
    size = wanted if target.size > wanted else wanted + 1
    words = "The replacement serves; a replica on a node that goes away drains."
    if size > wanted:
        words = "A replica is on a node that goes away: one more starts first."
    return replace(current, sizes={**current.sizes, target.name: size}, step=words, evacuates=True, done=True)


def _nothing_to_protect(current: Step, facts: RolloutFacts, target: Line) -> Step:
    """Let the new revision take all places at once: the old ones serve nothing."""
    sizes = dict.fromkeys(current.sizes, 0) | {target.name: facts.wanted}
    why = "The revision before serves no replica, so there is nothing to protect."
    return replace(current, sizes=sizes, strategy="Replace", why=why, step="The old revision goes.")


def _roll(current: Step, facts: RolloutFacts, target: Line, old: tuple[Line, ...]) -> Step:
    idle = [line for line in old if line.size and not line.protected]
    if idle:
        sizes = {**current.sizes, **{line.name: 0 for line in idle}}
        return replace(current, sizes=sizes, step=f"{idle[0].revision} serves nothing and goes.")
    held = sum(line.size for line in old)
    if target.size > facts.wanted:
        return replace(current, sizes={**current.sizes, target.name: facts.wanted}, step="Fewer replicas are wanted.")
    if target.counted < target.size:
        return _wait_for_target(current, facts, target, old)
    if held + target.size > facts.wanted:
        return _shrink(current, old, "the new replica answered")
    return _next_replica(current, facts, target, old)


def _next_replica(current: Step, facts: RolloutFacts, target: Line, old: tuple[Line, ...]) -> Step:
    """Start the next new replica: all that exist count, and the total is not above what is wanted."""
    free = facts.slots - sum(line.unplaced for line in (target, *old))
    if free > 0 and not facts.replace_only:
        return _grow(current, target, "Surge", f"GPUs for {free} more replicas are free.")
    if any(line.going for line in old):
        return replace(current, step="An old replica drains.")
    if not _may_shrink(facts, target, old):
        return replace(current, strategy="Replace", why=_no_room(facts), step=_CONSENT, waits="NeedsOutage")
    return _grow(current, target, "Replace", _no_room(facts))


_CONSENT = (
    "The last ready replica would have to go first. Free a GPU, or allow the outage: set spec.rollout.outage to Allow."
)


def _no_room(facts: RolloutFacts) -> str:
    return "Free GPUs cannot be counted here." if facts.replace_only else "No GPU is free for one more replica."


def _wait_for_target(current: Step, facts: RolloutFacts, target: Line, old: tuple[Line, ...]) -> Step:
    """Wait until a new replica counts, or free the GPU that it waits for."""
    total = sum(line.size for line in old) + target.size
    room = facts.slots + target.going + sum(line.going for line in old)
    if total <= facts.wanted or target.unplaced <= room:
        return replace(current, step="A new replica starts; it counts when a real inference was answered.")
    if not _may_shrink(facts, target, old):
        return replace(current, strategy="Replace", why=_no_room(facts), step=_CONSENT, waits="NeedsOutage")
    return replace(_shrink(current, old, "it makes room for a new one"), strategy="Replace", why=_no_room(facts))


def _may_shrink(facts: RolloutFacts, target: Line, old: tuple[Line, ...]) -> bool:
    """Tell whether one old replica may go: another serves, it did not serve for minutes, or the user consents."""
    serving = target.serving + sum(line.serving for line in old)
    return facts.consent or serving > 1 or any(line.size > line.protected for line in old)


def _grow(current: Step, target: Line, strategy: Strategy, why: str) -> Step:
    sizes = {**current.sizes, target.name: target.size + 1}
    return replace(current, sizes=sizes, strategy=strategy, why=why, step="One replica of the new revision starts.")


def _shrink(current: Step, old: tuple[Line, ...], because: str) -> Step:
    oldest = [line for line in old if line.size][-1]
    sizes = {**current.sizes, oldest.name: oldest.size - 1}
    return replace(current, sizes=sizes, step=f"One replica of {oldest.revision} drains: {because}.")
