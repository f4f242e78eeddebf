"""Every point at which an operator can die during an operation, and what comes of each.

The one rule: a killed operator leaves nothing but what the API server holds, so a point is the cluster at that moment,
and another operator goes on from there; the end is compared as a whole with the end of the same operation undisturbed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType

from inferfleet.api.base import Json
from inferfleet.fleet import names
from support.cuts import Cut, Mode, counts
from support.moment import Moment
from support.pods import foreign_pod
from support.simulation import Lowest, Simulation, simulation

NEXT_IMAGE: dict[str, Any] = {"engine": {"image": "registry.test/triton:2"}}
_OF_THE_API_SERVER = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "ownerReferences")
_OF_ONE_RUN = frozenset(
    {"controller-uid", "batch.kubernetes.io/controller-uid", "clusterIP", "clusterIPs", "volumeName"}
)
_TIMES = ("inferfleet.dev/proven", "inferfleet.dev/good")


@dataclass(frozen=True, slots=True)
class Operation:
    """What a user does to a model, from where, and how many replicas must serve all the while."""

    name: str
    first: dict[str, Any]
    """The spec before; the model has come to rest with it, unless it is new."""
    then: dict[str, Any] = field(default_factory=dict)
    floor: int = 0
    is_new: bool = False
    others_hold: int = 0
    """GPUs of the fleet's sixteen."""


CREATE = Operation("a create", {"replicas": 2}, is_new=True)
UPGRADE = Operation("an upgrade with a free GPU", {"replicas": 2}, NEXT_IMAGE, floor=2)
REPLACE = Operation("an upgrade without a free GPU", {"replicas": 2}, NEXT_IMAGE, floor=1, others_hold=14)
SCALE_UP = Operation("a scale up", {"replicas": 1}, {"replicas": 3}, floor=1)
SCALE_DOWN = Operation("a scale down", {"replicas": 3}, {"replicas": 1}, floor=1)
SUSPEND = Operation("a suspension", {"replicas": 2}, {"suspend": True})
OPERATIONS = (CREATE, UPGRADE, REPLACE, SCALE_UP, SCALE_DOWN, SUSPEND)


@dataclass(slots=True, eq=False)
class Camera:
    """A middleware that keeps the cluster as it is before and after each write."""

    sim: Simulation
    taken: list[tuple[str, Moment]] = field(default_factory=list)

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        if not counts(request):
            return await handler(request)
        self._keep("before", request)
        response = await handler(request)
        self._keep("after", request)
        return response

    def _keep(self, mode: Mode, request: aiohttp.ClientRequest) -> None:
        what = f"{mode} write {len(self.taken) // 2 + 1}, {request.method} {request.url.path}"
        self.taken.append((what, Moment.of(self.sim.fake, self.sim.kubelets)))

    def points(self) -> Iterator[tuple[str, Moment]]:
        """Give each moment with the write that it belongs to; moments between which nothing happened are one point."""
        seen: set[int] = set()
        for what, moment in self.taken:
            if moment.version not in seen:
                seen.add(moment.version)
                yield what, moment


@dataclass(frozen=True, slots=True)
class Story:
    """An operation undisturbed: what it came to, and the moments in it."""

    end: Json
    fewest: int
    camera: Camera


async def beginning(operation: Operation) -> Moment:
    """Bring a model to where the operation finds it."""
    async with simulation() as sim:
        for number in range(operation.others_hold):
            sim.fake.add(foreign_pod(f"other-{number}", "n1" if number < 8 else "n2"))
        sim.apply(**operation.first)
        if not operation.is_new:
            await sim.operator()
            await sim.settled()
        elif operation.then:
            raise AssertionError("a new model has nothing after it")
        return Moment.of(sim.fake, sim.kubelets)


async def undisturbed(operation: Operation, begin: Moment) -> Story:
    """Run an operation without a kill, and see that a restart after it writes nothing."""
    async with simulation(begin=begin) as sim:
        camera, lowest = Camera(sim), Lowest(sim).start()
        run = await sim.operator(middlewares=[camera])
        if operation.then:
            sim.apply(**operation.then)
        await at_rest(sim)
        lowest.counting = False
        await run.kill()
        story = Story(picture(sim), lowest.fewest, camera)
        before = len(sim.writes())
        await sim.operator()
        await sim.passes(20)
        assert sim.writes()[before:] == []
        return story


async def carried_on(moment: Moment) -> tuple[Json, int]:
    """Let a new operator go on from a moment; return the end, and the fewest replicas that served on the way."""
    async with simulation(begin=moment) as sim:
        lowest = Lowest(sim).start()
        await sim.operator()
        await at_rest(sim)
        lowest.counting = False
        return picture(sim), lowest.fewest


async def dying(operation: Operation, begin: Moment, mode: Mode, stride: int) -> tuple[Json, int, int]:
    """Run an operation with operators that each die at their n-th write; return end, fewest, and how many died."""
    async with simulation(begin=begin) as sim:
        lowest = Lowest(sim).start()
        if operation.then:
            sim.apply(**operation.then)
        for died in range(200):
            cut = Cut(stride, mode)
            run = await sim.operator(cut)
            await _dead_or_at_rest(sim, cut)
            await run.kill()
            if not cut.died:
                lowest.counting = False
                return picture(sim), lowest.fewest, died
        raise AssertionError("it does not come to rest")


async def _dead_or_at_rest(sim: Simulation, cut: Cut) -> None:
    """Wait until an operator is dead, or has nothing to write for a while."""
    while not cut.died:
        before = cut.counted
        await sim.until(lambda: cut.died or sim.at_rest())
        await sim.passes(5.0)
        if cut.counted == before and not cut.died and sim.at_rest():
            return


async def at_rest(sim: Simulation) -> None:
    """Wait until the model is as wanted and nothing is written any more."""
    await sim.until(sim.at_rest)
    await sim.quiet(5.0)


def picture(sim: Simulation) -> Json:
    """Show everything of the model without what differs from run to run."""
    found: Json = {plural: {_name(child): _bare(child) for child in all_} for plural, all_ in sim.children().items()}
    found["pods"] = sorted(str(_bare({**pod, "spec": {}})) for pod in sim.pods())
    found["said"] = {one["type"]: (one["status"], one["message"]) for one in sim.status().get("conditions", ())}
    return found


def unlike(one: object, other: object, path: str = "") -> list[str]:
    """List where two pictures differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [found for key in keys for found in unlike(one.get(key), other.get(key), f"{path}/{key}")]
    return [] if one == other else [f"{path}: {one!r:.300} is not {other!r:.300}"]


def _name(child: Json) -> str:
    """Name a child; a download whose result was lost with the operator is made again, as the next attempt."""
    return re.sub(r"-fetch-\d+$", "-fetch", child["metadata"]["name"])


def _bare(obj: Json) -> Json:
    meta = {key: value for key, value in obj["metadata"].items() if key not in (*_OF_THE_API_SERVER, "name")}
    owners = [(one["kind"], one["name"]) for one in obj["metadata"].get("ownerReferences", ())]
    notes = {key: "then" if key in _TIMES else value for key, value in meta.pop("annotations", {}).items()}
    for key in ("inferfleet.dev/attempt", names.DELETION_COST):
        notes.pop(key, None)
    rest = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    bare: Json = _without({"metadata": meta | {"owners": owners, "annotations": notes}, **rest})
    return bare


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(child) for key, child in value.items() if key not in _OF_ONE_RUN}
    if isinstance(value, str):
        return re.sub(r"-fetch-\d+$", "-fetch", value)
    return [_without(child) for child in value] if isinstance(value, list) else value
