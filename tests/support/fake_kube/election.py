"""Replicas that stand for one Lease of a fake, each with a way to it that can be cut."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from inferfleet.api.base import Json
from inferfleet.kube.kinds import LEASES
from inferfleet.kube.lease import Lease
from support.fake_kube.clock import ManualClock, settle
from support.fake_kube.cluster import FakeKube
from support.fake_kube.leases import DirectLeases


@dataclass(slots=True)
class Replica:
    """One replica of the operator: a Lease, and a process that ends when the Lease is lost."""

    name: str
    api: DirectLeases
    lease: Lease
    clock: ManualClock
    leads_since: float | None = None
    ended_at: float | None = None
    task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        await self.lease.acquire()
        self.leads_since = self.clock.seconds
        await self.lease.hold()
        self.ended_at = self.clock.seconds

    def kill(self) -> None:
        assert self.task is not None
        self.task.cancel()


@dataclass(slots=True)
class Election:
    """Replicas that stand for one Lease."""

    fake: FakeKube
    clock: ManualClock
    replicas: list[Replica] = field(default_factory=list)

    async def join(self, name: str, clock: ManualClock | None = None) -> Replica:
        mine = clock or self.clock
        api = DirectLeases(self.fake.api, mine.sleep)
        replica = Replica(name, api, Lease(api, "default", "inferfleet", name, mine.time), mine)
        replica.task = asyncio.create_task(replica.run())
        self.replicas.append(replica)
        await settle()
        return replica

    @property
    def spec(self) -> Json:
        found = self.fake.get("leases", "default", "inferfleet")
        assert found is not None
        spec: Json = found["spec"]
        return spec

    def leaders(self) -> list[str]:
        return [replica.name for replica in self.replicas if replica.lease.valid()]


def held_by(name: str, seconds: int) -> Json:
    spec = {"holderIdentity": name, "leaseDurationSeconds": seconds, "renewTime": "2026-01-01T00:00:00.000000Z"}
    meta = {"name": "inferfleet", "namespace": "default"}
    return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": spec}
