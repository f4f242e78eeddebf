"""A fleet in miniature: ReplicaSets, a scheduler and pods that load and drain, one tick at a time.

It stands in for the cluster in property tests of the rollout planner: whatever the planner asks for is done, late.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from inferfleet.fleet.replicas import Proof, Replica
from inferfleet.plan.rollout import Line, RolloutFacts, Step, next_step


@dataclass
class Pod:
    """A pod: its line, when it was made, and how far it is."""

    name: str
    line: str
    born: int
    bound: bool = False
    loaded_at: int | None = None
    gone_at: int | None = None

    def replica(self, now: int, *, broken: bool) -> Replica:
        """Show it as the planner sees it."""
        ready = self.loaded_at is not None and now >= self.loaded_at and not broken
        traffic = "serving" if ready else "held"
        return Replica(
            self.name, self.name, self.line, self.line, "s", self.born, traffic, "n" if self.bound else "",  # type: ignore[arg-type]  # - text
            bound=self.bound, ready=ready, terminating=self.gone_at is not None, proof=Proof(proven=ready),
        )  # fmt: skip


@dataclass
class Cluster:
    """Two revisions on a number of GPUs, one GPU a replica; `foreign` are held by others."""

    gpus: int
    chance: random.Random
    broken: frozenset[str] = frozenset()
    foreign: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    now: int = 0
    made: int = 0

    def line(self, name: str) -> Line:
        """Show one revision."""
        mine = [pod.replica(self.now, broken=pod.line in self.broken) for pod in self.pods if pod.line == name]
        return Line(name, name, self.sizes.get(name, 0), tuple(mine))

    @property
    def free(self) -> int:
        """Count free GPUs."""
        return max(0, self.gpus - self.foreign - sum(pod.bound for pod in self.pods))

    def serving(self) -> int:
        """Count replicas that answer."""
        return sum(self.line(name).serving for name in self.sizes)

    def is_at(self, name: str, wanted: int) -> bool:
        """Tell whether one revision serves as wanted, and no pod of another is left."""
        return self.line(name).counted == wanted == len(self.pods)

    def tick(self) -> None:
        """Let controllers, scheduler and pods do a little, in no fixed order."""
        self.now += 1
        self.pods = [pod for pod in self.pods if pod.gone_at is None or pod.gone_at > self.now]
        for name, size in self.sizes.items():
            self._reconcile(name, size)
        for pod in sorted(self.pods, key=lambda pod: (pod.born, pod.name)):
            if not pod.bound and pod.gone_at is None and self.free > 0:
                pod.bound, pod.loaded_at = True, self.now + self.chance.randint(1, 4)

    def _reconcile(self, name: str, size: int) -> None:
        mine = [pod for pod in self.pods if pod.line == name and pod.gone_at is None]
        for _ in range(size - len(mine)):
            self.made += 1
            self.pods.append(Pod(f"{name}-{self.made}", name, self.now))
        order = sorted(mine, key=lambda pod: (pod.loaded_at is not None and pod.loaded_at <= self.now, -pod.born))
        for pod in order[: max(0, len(mine) - size)]:
            pod.gone_at = self.now + (self.chance.randint(1, 4) if pod.bound else 1)

    def facts(self, wanted: int, target: str, **more: bool) -> RolloutFacts:
        """Show everything to the planner; the newest revision is the target."""
        others = tuple(self.line(name) for name in reversed(self.sizes) if name != target)
        return RolloutFacts(wanted, self.line(target), others, self.free, **more)

    def beat(self, wanted: int, target: str, **more: bool) -> Step:
        """Let the planner decide and do it."""
        self.sizes.setdefault(target, 0)
        step = next_step(self.facts(wanted, target, **more))
        self.sizes = {name: step.sizes.get(name, size) for name, size in self.sizes.items()}
        return step
