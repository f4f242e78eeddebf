"""The fake as a test holds it: start and stop, levers, controllers, time, and what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Self

import orjson

from inferfleet.api.base import Json
from support.fake_kube.api import Api
from support.fake_kube.apply import Author
from support.fake_kube.asked import Asked
from support.fake_kube.claims import Claims
from support.fake_kube.clock import EPOCH, ManualClock
from support.fake_kube.collector import Collector
from support.fake_kube.controller import Controller, Hands
from support.fake_kube.faults import Fault, Logged
from support.fake_kube.jobs import Jobs
from support.fake_kube.kubelet import Kubelets
from support.fake_kube.listing import Rest
from support.fake_kube.quota import Quotas
from support.fake_kube.rbac import Rule
from support.fake_kube.replicas import ReplicaSets
from support.fake_kube.scheduler import Scheduler
from support.fake_kube.server import Server
from support.fake_kube.storage import Change
from support.fake_kube.watching import Watch

_TICK_SECONDS = 0.02
_ENDLESS = 10_000


@dataclass(frozen=True, slots=True)
class Controllers:
    """What acts on objects besides the test; each is off until it is enabled."""

    collector: Collector
    replica_sets: ReplicaSets
    jobs: Jobs
    claims: Claims
    scheduler: Scheduler
    kubelets: Kubelets
    quotas: Quotas

    def __iter__(self) -> Iterator[Controller]:
        yield from (
            self.collector, self.replica_sets, self.jobs, self.claims, self.scheduler, self.kubelets, self.quotas,
        )  # fmt: skip


class FakeKube:
    """An API server on 127.0.0.1, `async with FakeKube() as fake:`.

    With a `ManualClock` nothing ages until `advance`; without one time is real. Objects of a namespace need the
    namespace: `default` is there.
    """

    def __init__(self, clock: ManualClock | None = None) -> None:
        self._manual = clock
        self.api = Api(self.now)
        self.tokens: dict[str, str] | None = None
        self.roles: dict[str, list[Rule]] = {}
        self.denials: list[Rule] = []
        self.denied: list[tuple[str, str, str]] = []
        self.refused = 0
        self.faults: list[Fault] = []
        self.log: list[Logged] = []
        self.watches: set[Watch] = set()
        self.pages: dict[str, Rest] = {}
        self.compact_after_next_page = False
        hands = Hands(self.api, self.clock)
        self.controllers = Controllers(
            Collector(hands),
            ReplicaSets(hands),
            Jobs(hands),
            Claims(hands),
            Scheduler(hands),
            Kubelets(hands),
            Quotas(hands),
        )
        self.api.storage.listen(self._seen)
        self.api.admission.append(self.controllers.quotas.admit)
        self._server = Server(self)
        self._ticking: asyncio.Task[None] | None = None
        self.add_namespace("default")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        await self._server.start(port)
        if self._manual is None:
            self._ticking = asyncio.create_task(self._tick_for_ever())

    async def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        for fault in self.faults:
            fault.released.set()
        self.close_watches()
        await self._server.stop()

    def clock(self) -> float:
        return monotonic() if self._manual is None else self._manual.monotonic()

    def now(self) -> datetime:
        return datetime.now(EPOCH.tzinfo) if self._manual is None else self._manual.now()

    async def advance(self, seconds: float) -> None:
        """Move the manual clock on in small steps, with everything that becomes due."""
        assert self._manual is not None
        end = self._manual.seconds + seconds
        while self._manual.seconds < end:
            await self._manual.advance(min(self._next_timer(), end) - self._manual.seconds)
            self.tick()
            await asyncio.sleep(0)

    def tick(self) -> None:
        """Let controllers and watches look at the clock."""
        self.run_controllers()
        for watch in self.watches:
            watch.woken.set()

    def run_controllers(self) -> None:
        """Let the enabled controllers act until none has anything to do."""
        for watch in self.watches:
            if watch.resource not in self.api.resources.values():
                watch.ended = True
                watch.woken.set()
        for _ in range(_ENDLESS):
            acted = [controller.step() for controller in self.controllers]
            if not any(acted):
                return
        raise AssertionError("the controllers work against each other")

    def enable(self, *names: str) -> None:
        """Turn controllers on by name; without names all of them."""
        for controller in [getattr(self.controllers, name) for name in names] or self.controllers:
            controller.enabled = True
        self.run_controllers()

    def _next_timer(self) -> float:
        assert self._manual is not None
        due = [timers[0][0] for timers in (one.timers for one in self.controllers) if timers]
        return max(min(due, default=float("inf")), self._manual.seconds)

    def _seen(self, change: Change) -> None:
        for controller in self.controllers:
            controller.seen(change)
        for watch in self.watches:
            watch.woken.set()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self.tick()

    def fault_for(self, asked: Asked, user: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.strikes(asked, user)), None)

    @contextmanager
    def fault(self, **what: object) -> Iterator[Fault]:
        """Let something go wrong for a while; the arguments are those of `Fault`."""
        fault = Fault(**what)  # type: ignore[arg-type]  # - checked by the dataclass
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)
            fault.released.set()

    def may(self, user: str, verb: str, asked: Asked) -> bool:
        if any(rule.covers(verb, asked) for rule in self.denials):
            return False
        rules = self.roles.get(user)
        return rules is None or any(rule.covers(verb, asked) for rule in rules)

    def drop_watches(self) -> None:
        """Break every watch off in the middle."""
        for watch in self.watches:
            watch.broken = True
            watch.woken.set()

    def close_watches(self) -> None:
        """End every watch as a timeout does."""
        for watch in self.watches:
            watch.ended = True
            watch.woken.set()

    def freeze_watches(self) -> None:
        """Let every open watch stay open and say nothing any more."""
        for watch in self.watches:
            watch.frozen = True

    def bookmark(self) -> None:
        """Send a bookmark on every watch that takes them."""
        for watch in self.watches:
            watch.bookmark_now = True
            watch.woken.set()

    def rewind(self, versions: int) -> None:
        """Let the history go back, as a restore from a backup of etcd does; the objects stay as they are."""
        self.api.storage.rewind(versions)

    def compact(self) -> None:
        """Let no new watch or page begin at a version older than now."""
        self.api.storage.compact()

    def add(self, obj: Json) -> Json:
        """Create an object as somebody else, past faults and rights; a status in it is kept."""
        group, _, version = obj["apiVersion"].rpartition("/")
        resource = next(
            one
            for one in self.api.resources.values()
            if (one.group, one.version, one.kind) == (group, version, obj["kind"])
        )
        namespace = obj["metadata"].get("namespace") or ("default" if resource.namespaced else "")
        made = self.api.create(resource, namespace, obj, Author("test"))
        if resource.has_status and "status" in obj:
            patch = {"status": obj["status"]}
            made = self.api.patch(
                resource, namespace, made["metadata"]["name"], patch, Author("test", subresource="status")
            )
        self.run_controllers()
        return made

    def get(self, plural: str, namespace: str, name: str) -> Json | None:
        """Look at an object, past faults and rights."""
        stored = self.api.storage.get(self.api.resource(plural), (namespace, name))
        return None if stored is None else self.api.read(self.api.resource(plural), namespace, name)

    def all(self, plural: str, namespace: str | None = None, labels: str | None = None) -> list[Json]:
        """Look at objects, past faults and rights."""
        return self.api.find(self.api.resource(plural), namespace, labels)

    def patch(self, plural: str, namespace: str, name: str, patch: Json, subresource: str = "") -> Json:
        """Merge into an object as somebody else; a subresource is `status`."""
        author = Author("test", subresource=subresource)
        patched = self.api.patch(self.api.resource(plural), namespace, name, patch, author)
        self.run_controllers()
        return patched

    def delete(self, plural: str, namespace: str, name: str, **options: object) -> None:
        """Delete an object as somebody else."""
        self.api.delete(self.api.resource(plural), namespace, name, dict(options))
        self.run_controllers()

    def add_namespace(self, name: str) -> Json:
        return self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def add_node(
        self, name: str, gpus: int = 8, labels: dict[str, str] | None = None, taints: list[Json] | None = None
    ) -> Json:
        """Add a ready node with GPUs."""
        holds = {"cpu": "64", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": str(gpus)}
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        meta = {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}}
        spec = {"taints": taints} if taints else {}
        status = {"capacity": holds, "allocatable": holds, "conditions": [ready]}
        return self.add({"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec, "status": status})

    def writes(self, *but: str) -> list[Logged]:
        """List the writes that were asked for, leaving out some resources (`leases`, `events`)."""
        return [entry for entry in self.log if entry.writes and entry.resource not in but]

    def kubeconfig(self, path: Path, token: str | None = None, token_file: Path | None = None) -> Path:
        """Write a kubeconfig for this server, which is JSON and so YAML."""
        user = {"token": token} if token else {"tokenFile": str(token_file)} if token_file else {}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": user}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        }
        path.write_bytes(orjson.dumps(config))
        return path
