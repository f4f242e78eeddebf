"""Probes the models of all replicas and remembers what they showed.

The one rule: what is remembered belongs to one container's life: a restarted container has proven nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from inferfleet.fleet.replicas import Proof
from inferfleet.plan.actions import Watched
from inferfleet.serving.life import RETRY, Life, after_counts, after_inference, must_ask
from inferfleet.serving.metrics import METRICS_PORT, Counts, scrape
from inferfleet.serving.rounds import Clock, Rounds
from inferfleet.serving.triton import GRPC_PORT, Asked, Asker
from inferfleet.serving.web import Reader

AT_ONCE = 64
LOAD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where servers listen; tests put theirs elsewhere."""

    grpc: int = GRPC_PORT
    metrics: int = METRICS_PORT


class Prober:
    """Keeps a life for every container of a serving pod; a key is whatever the beat calls a model."""

    def __init__(self, clock: Clock, wake: Callable[[Any], None], ports: Ports | None = None) -> None:
        """Know nothing yet; `wake` is told of a key whose proof changed."""
        self._wake = wake
        self._ports = ports or Ports()
        self._lives: dict[tuple[str, int], Life] = {}
        self._keys: dict[Watched, Hashable] = {}
        self._asker = Asker()
        self._reader = Reader()
        self.rounds: Rounds[Watched] = Rounds(clock, self._visit, AT_ONCE)

    def watch(self, key: Hashable, watched: Iterable[Watched]) -> None:
        """Say which pods of a key are ready now, and so are probed."""
        pods = tuple(watched)
        self._keys |= dict.fromkeys(pods, key)
        gone = self.rounds.watch(key, pods)
        here = {(pod.uid, pod.restarts) for pod in pods}
        for pod in gone:
            del self._keys[pod]
            if (pod.uid, pod.restarts) not in here:
                self._lives.pop((pod.uid, pod.restarts), None)
                self._asker.forget(_life_of(pod))

    def forget(self, key: Hashable) -> None:
        """Probe nothing of a key any more."""
        self.watch(key, ())

    def proof(self, uid: str, restarts: int) -> Proof:
        """Say what is known of a pod's container."""
        return self._lives.get((uid, restarts), Life()).proof

    def counts(self, uid: str, restarts: int) -> Counts | None:
        """Say what its server last counted; None if that is not known."""
        return self._lives.get((uid, restarts), Life()).counts

    def in_flight(self, uid: str, restarts: int) -> int:
        """Say how many requests its server last had waiting or running; 0 if that is not known."""
        counts = self.counts(uid, restarts)
        return counts.in_flight if counts else 0

    async def run(self) -> NoReturn:
        """Probe for ever."""
        try:
            await self.rounds.run()
        finally:
            await self._reader.close()

    async def _visit(self, pod: Watched) -> float:
        life = self._lives.get((pod.uid, pod.restarts), Life())
        if not pod.ready:
            return await self._ask_why(pod, life)
        before = await self._scrape(pod)
        if must_ask(life, before):
            asked = Asked(pod.ip, pod.model, pod.probe, self._ports.grpc, _life_of(pod))
            found = await self._asker.infer(asked, life.patience)
            after = after_inference(life, found, before, await self._scrape(pod))
        else:
            after = after_counts(life, before)
        self._lives[pod.uid, pod.restarts] = after
        if after.proof != life.proof:
            self._wake(self._keys[pod])
        return after.wait

    async def _ask_why(self, pod: Watched, life: Life) -> float:
        """Ask a server that is not ready whether a model failed to load; its pod's uid opens that page."""
        asked = Asked(pod.ip, pod.model, pod.probe, self._ports.grpc)
        error = await self._asker.load_error(asked, pod.uid, LOAD_SECONDS)
        if error != life.proof.load_error:
            self._lives[pod.uid, pod.restarts] = replace(life, proof=replace(life.proof, load_error=error))
            self._wake(self._keys[pod])
        return RETRY

    async def _scrape(self, pod: Watched) -> Counts | None:
        return await scrape(self._reader, pod.ip, pod.model, self._ports.metrics)


def _life_of(pod: Watched) -> str:
    """Name one life of a pod's container, and what it is asked."""
    return f"{pod.uid}/{pod.restarts}/{pod.model}"
