"""A cluster in miniature, in virtual time, with operators that a test starts, kills and starts again.

It is the fake with all its controllers, GPU nodes, weights that download and models that answer.

The one rule: nothing here knows what the operator should do; it only shows what came of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from random import Random
from typing import Any

from aiohttp.client_middlewares import ClientMiddlewareType

from inferfleet.api.base import API_VERSION, KIND, PLURAL, Json
from inferfleet.api.config import FleetConfig
from inferfleet.api.crd import crd
from inferfleet.fleet import names
from inferfleet.fleet.weights import Repository
from inferfleet.kube.kinds import CHILDREN
from inferfleet.serving.triton import Asked, Inference
from support.cuts import Cut
from support.fake_kube import FakeKube, Logged
from support.fake_kube.controller import is_ready
from support.fake_kube.resources import custom_resource
from support.fake_kube.storage import Change
from support.fake_servers import Downloads, serve_downloads
from support.makers import CONFIG, H100, REPOSITORY
from support.moment import Moment
from support.operator_run import ANSWERED, OperatorRun
from support.pods import Pods
from support.virtual_time import LoopClock

_LOOK_EVERY = 30.0
"""Seconds at which watches look at the clock, for bookmarks and their end."""
_SOONEST = 0.001
"""A shorter wait could be none, and time would stand still."""
_SEEDS = count()
"""No two clusters name their pods alike: one may begin with another's."""


@dataclass
class Simulation:
    """One cluster."""

    fake: FakeKube
    clock: LoopClock
    config: FleetConfig
    kubelets: Pods
    downloads: Downloads
    script: Callable[[Asked], Inference] = lambda _: ANSWERED
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def operator(
        self, cut: Cut | None = None, middlewares: Sequence[ClientMiddlewareType] = (), token: str | None = None
    ) -> OperatorRun:
        """Start an operator; it lives until it is killed or the test ends."""
        run = OperatorRun(self.fake, self.config, self.clock.time, self._answer, cut or Cut(), middlewares, token)
        return await self._stack.enter_async_context(run)

    def _answer(self, asked: Asked) -> Inference:
        return self.script(asked)

    async def passes(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def until(self, holds: Callable[[], object], within: float = 300.0) -> float:
        """Let time pass until something holds, and return how long it took; fail when it does not."""
        begun = self.clock.monotonic()
        while not holds():
            assert self.clock.monotonic() - begun <= within, f"it did not happen within {within} s"
            await asyncio.sleep(0.25)
        return self.clock.monotonic() - begun

    async def settled(self, *models: str, within: float = 300.0) -> None:
        """Wait until these models serve as wanted and nothing is written any more."""
        await self.until(lambda: all(self.serves(name) for name in models or ("m",)), within)
        await self.quiet()

    async def quiet(self, seconds: float = 10.0) -> None:
        """Wait until nothing was written for so long."""
        for _ in range(100):
            before = len(self.writes())
            await asyncio.sleep(seconds)
            if len(self.writes()) == before:
                return
        raise AssertionError("writes do not end")

    def writes(self) -> list[Logged]:
        """List the writes that operators asked for, besides those of the Lease."""
        return self.fake.writes("leases")

    def apply(self, name: str = "m", namespace: str = "default", **spec: Any) -> Json:
        """Write a ModelDeployment as its user does: create it, or change these fields of its spec."""
        if self.model(name, namespace) is not None:
            return self.fake.patch(PLURAL, namespace, name, {"spec": spec})
        body = {"model": {"source": "hf://org/model"}, **spec}
        meta = {"name": name, "namespace": namespace}
        return self.fake.add({"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": body})

    def model(self, name: str = "m", namespace: str = "default") -> Json | None:
        """Look at a ModelDeployment."""
        return self.fake.get(PLURAL, namespace, name)

    def status(self, name: str = "m", namespace: str = "default") -> Json:
        """Look at a ModelDeployment's status."""
        return (self._stored(PLURAL, name, namespace) or {}).get("status") or {}

    def _stored(self, plural: str, name: str, namespace: str) -> Json | None:
        """Look at an object itself, of which nothing may be changed: a copy costs too much where one looks again."""
        found = self.fake.api.storage.get(self.fake.api.resource(plural), (namespace, name))
        return found.obj if found else None

    def condition(self, kind: str, name: str = "m", namespace: str = "default") -> Json:
        """Look at a condition; empty without it."""
        conditions = self.status(name, namespace).get("conditions", ())
        return next((each for each in conditions if each["type"] == kind), {})

    def said(self, kind: str, name: str = "m", namespace: str = "default") -> tuple[str, str]:
        """Show status and reason of a condition; both empty without it."""
        found = self.condition(kind, name, namespace)
        return found.get("status", ""), found.get("reason", "")

    def at_rest(self, name: str = "m", namespace: str = "default") -> bool:
        """Tell whether a model is as its current spec wants: it may serve, be suspended, or be gone."""
        model = self._stored(PLURAL, name, namespace)
        if model is None:
            return True
        current = self.status(name, namespace).get("observedGeneration") == model["metadata"]["generation"]
        moves = self.condition("Reconciling", name, namespace) or self.condition("Stalled", name, namespace)
        return current and not moves and not any("deletionTimestamp" in pod["metadata"] for pod in self._pods(name))

    def serves(self, name: str = "m", namespace: str = "default") -> bool:
        """Tell whether a model serves as its current spec wants."""
        return self.at_rest(name, namespace) and self.said("Ready", name, namespace) == ("True", "Serving")

    def pods(self, name: str = "m") -> list[Json]:
        """List a model's serving pods."""
        return self.fake.all("pods", labels=f"{names.MODEL}={name},{names.ROLE}={names.ROLE_SERVER}")

    def ready(self, name: str = "m") -> int:
        """Count the replicas that requests are sent to now."""
        return sum(_serves(pod) for pod in self._pods(name))

    def _pods(self, name: str) -> Iterator[Json]:
        """Look at a model's serving pods themselves; as `_stored`."""
        for stored in self.fake.api.storage.all(self.fake.api.resource("pods")):
            labels = stored.obj["metadata"].get("labels") or {}
            if labels.get(names.MODEL) == name and labels.get(names.ROLE) == names.ROLE_SERVER:
                yield stored.obj

    def children(self, name: str = "m") -> dict[str, list[Json]]:
        """List what was made for a model, by kind."""
        return {kind.plural: self.fake.all(kind.plural, labels=f"{names.MODEL}={name}") for kind in CHILDREN}

    def events(self, kind: str = "Warning") -> list[Json]:
        """List the Events of a type."""
        return [event for event in self.fake.all("events") if event["type"] == kind]


@dataclass
class Lowest:
    """The fewest replicas that served a model at any instant since it was started."""

    simulation: Simulation
    model: str = "m"
    fewest: int = 10_000
    counting: bool = True

    def start(self) -> Lowest:
        self.simulation.fake.api.storage.listen(self._seen)
        self.fewest = self.simulation.ready(self.model)
        return self

    def _seen(self, change: Change) -> None:
        if self.counting and change.resource.plural == "pods":
            self.fewest = min(self.fewest, self.simulation.ready(self.model))


@asynccontextmanager
async def simulation(
    config: FleetConfig = CONFIG,
    found: Repository = REPOSITORY,
    begin: Moment | None = None,
    kind: Json | None = None,
) -> AsyncIterator[Simulation]:
    """Bring a cluster up: two nodes of eight GPUs each and the CRD, or what another one had come to."""
    clock = LoopClock()
    async with FakeKube(clock) as fake:
        pods = Pods(fake)
        pods.live()
        fake.controllers.replica_sets.random = fake.controllers.jobs.random = Random(next(_SEEDS))
        fake.enable()
        fake.api.register(custom_resource(kind or definition()))
        if begin is None:
            for name in ("n1", "n2"):
                fake.add_node(name, 8, {"nvidia.com/gpu.product": H100.products[0]})
                fake.patch("nodes", "", name, {"status": {"allocatable": {"ephemeral-storage": "1Ti"}}}, "status")
        else:
            begin.restore(fake, pods)
        downloads = Downloads(pods.runs, pods.was_read, found)
        async with serve_downloads(downloads), AsyncExitStack() as stack:
            ticking = asyncio.create_task(_tick(fake, clock, pods.changed))
            stack.callback(ticking.cancel)
            yield Simulation(fake, clock, config, pods, downloads, _stack=stack)


@cache
def definition() -> Json:
    """Generate the CRD once."""
    return crd()


def _serves(pod: Json) -> bool:
    meta = pod["metadata"]
    return is_ready(pod) and meta["labels"].get(names.TRAFFIC) == "serving" and "deletionTimestamp" not in meta


async def _tick(fake: FakeKube, clock: LoopClock, changed: asyncio.Event) -> None:
    """Wake controllers at their timers, and watches now and then."""
    fake.api.storage.listen(lambda _: changed.set())
    while True:
        changed.clear()
        due = [one.timers[0][0] for one in fake.controllers if one.timers]
        wait = min(due, default=clock.monotonic() + _LOOK_EVERY) - clock.monotonic()
        try:
            async with asyncio.timeout(min(max(wait, _SOONEST), _LOOK_EVERY)):
                await changed.wait()
        except TimeoutError:
            fake.tick()
