"""Who leads, by clocks that a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.kinds import LEASES, Ref
from inferfleet.kube.lease import REQUEST_SECONDS, Lease, Terms
from inferfleet.kube.transport import Limits
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to, open_client, until
from support.fake_kube.clock import settle
from support.fake_kube.leases import DirectLeases

WRITE_SECONDS = Limits().write_seconds


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


@pytest.fixture
async def election(clock: ManualClock) -> AsyncIterator[Election]:
    found = Election(FakeKube(clock), clock)
    yield found
    for replica in found.replicas:
        replica.kill()
    await asyncio.gather(*(one.task for one in found.replicas if one.task), return_exceptions=True)


async def test_the_first_replica_creates_the_lease_and_leads(election: Election) -> None:
    first = await election.join("one")

    assert first.lease.valid()
    assert first.lease.holder == "one"
    assert election.spec == {
        "holderIdentity": "one",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:00:00.000000Z",
        "renewTime": "2026-01-01T00:00:00.000000Z",
        "leaseTransitions": 0,
    }


async def test_a_leader_renews_every_two_seconds(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")

    await clock.advance(61)

    assert first.lease.valid()
    assert len(first.api.writes) == 31
    assert election.spec["renewTime"] == "2026-01-01T00:01:00.000000Z"
    assert election.spec["acquireTime"] == "2026-01-01T00:00:00.000000Z"


async def test_row_7_of_two_replicas_that_start_together_one_leads_and_one_writes_nothing(
    election: Election, clock: ManualClock
) -> None:
    first, second = await asyncio.gather(election.join("one"), election.join("two"))
    for _ in range(100):
        await clock.advance(1)
        assert election.leaders() == ["one"]

    assert second.api.writes == []
    assert first.lease.transitions == 0


async def test_row_7_of_two_creations_at_the_same_moment_one_is_refused(election: Election, clock: ManualClock) -> None:
    slow = ManualClock()
    for name in ("one", "two"):
        replica = await election.join(name, slow)
        replica.api.latency = 1
    await slow.advance(60)

    assert len(election.leaders()) == 1


async def test_row_8_a_killed_leader_is_followed_within_twenty_seconds(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")
    second = await election.join("two")
    await clock.advance(31)
    first.kill()
    killed_at = clock.seconds
    await clock.advance(20)

    assert second.leads_since is not None
    assert second.leads_since - killed_at <= 20
    assert second.lease.transitions == 1


async def test_row_6_a_leader_that_releases_is_followed_within_three_seconds(
    election: Election, clock: ManualClock
) -> None:
    first = await election.join("one")
    second = await election.join("two")
    await clock.advance(31)
    first.kill()
    await first.lease.release()
    released_at, released = clock.seconds, election.spec
    await clock.advance(3)

    assert not first.lease.valid()
    assert (released["holderIdentity"], released["leaseDurationSeconds"]) == ("", 1)
    assert second.leads_since is not None
    assert second.leads_since - released_at <= 3


async def test_row_6_a_replica_that_does_not_lead_releases_nothing(election: Election) -> None:
    await election.join("one")
    second = await election.join("two")

    await second.lease.release()

    assert election.spec["holderIdentity"] == "one"


async def test_row_9_a_leader_that_was_frozen_may_not_write_and_ends(election: Election, clock: ManualClock) -> None:
    frozen_clock = ManualClock()
    frozen = await election.join("one", frozen_clock)
    second = await election.join("two")
    await frozen_clock.advance(4)
    await clock.advance(24)
    writes = len(frozen.api.writes)
    frozen_clock.seconds += 20

    assert not frozen.lease.valid()
    assert second.lease.valid()
    await frozen_clock.advance(2)
    assert frozen.ended_at is not None
    assert len(frozen.api.writes) == writes


async def test_row_9_a_leader_that_was_frozen_alone_ends_without_trying_to_renew(
    election: Election, clock: ManualClock
) -> None:
    frozen = await election.join("one")
    await clock.advance(4.5)
    writes = len(frozen.api.writes)
    clock.seconds += 20

    await clock.advance(2)

    assert frozen.ended_at is not None
    assert len(frozen.api.writes) == writes


async def test_row_10_the_last_write_of_a_cut_off_leader_is_over_before_a_rival_leads(
    election: Election, clock: ManualClock
) -> None:
    first = await election.join("one")
    second = await election.join("two")
    await clock.advance(10.5)
    first.api.cut = True
    last_valid = 0.0
    while second.leads_since is None:
        last_valid = clock.seconds if first.lease.valid() else last_valid
        await clock.advance(0.1)

    assert last_valid + WRITE_SECONDS < second.leads_since
    assert first.ended_at is not None
    assert first.ended_at <= last_valid + 2.2


async def test_row_10_a_renewal_counts_from_its_start(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")
    first.api.latency = 3
    await clock.advance(5)
    first.api.cut = True

    await clock.advance(6.9)
    still = first.lease.valid()
    await clock.advance(0.2)

    assert still
    assert not first.lease.valid()


@pytest.mark.parametrize("skew", [-600.0, 600.0])
async def test_row_11_clocks_that_differ_by_ten_minutes_do_not_matter(
    election: Election, clock: ManualClock, skew: float
) -> None:
    first = await election.join("one", ManualClock(skew=skew))
    second = await election.join("two")
    for _ in range(60):
        await first.clock.advance(1)
        await clock.advance(1)
        assert election.leaders() == ["one"]
    first.kill()
    await clock.advance(20)

    assert election.leaders()[-1] == "two"
    assert second.leads_since is not None


async def test_row_11_a_clock_that_is_set_back_changes_nothing(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")
    second = await election.join("two")
    await clock.advance(10)
    clock.step(-600)
    await clock.advance(60)

    assert first.lease.valid()
    assert second.leads_since is None


async def test_row_13_an_api_outage_ends_the_leader_once_and_then_it_waits_as_standby(
    election: Election, clock: ManualClock
) -> None:
    first = await election.join("one")
    first.api.cut = True
    await clock.advance(12)
    assert first.ended_at is not None
    again = await election.join("one-again")
    again.api.cut = True
    await clock.advance(600)
    assert again.ended_at is None
    again.api.cut = False
    await clock.advance(20)

    assert again.lease.valid()


async def test_row_19_requests_that_hang_for_a_while_do_not_cost_the_lease(
    election: Election, clock: ManualClock
) -> None:
    first = await election.join("one")
    first.api.latency = REQUEST_SECONDS
    first.api.cut = True
    await clock.advance(7)
    first.api.latency, first.api.cut = 0.0, False
    await clock.advance(60)

    assert first.lease.valid()
    assert first.ended_at is None


async def test_a_renewal_whose_answer_was_lost_is_found_and_repeated(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")
    first.api.loses_answers = True
    await clock.advance(3)
    first.api.loses_answers = False
    await clock.advance(30)

    assert first.lease.valid()
    assert first.ended_at is None


async def test_a_creation_whose_answer_was_lost_leads_at_the_next_look(election: Election, clock: ManualClock) -> None:
    api = DirectLeases(election.fake.api, clock.sleep)
    api.loses_answers = True
    lease = Lease(api, "default", "inferfleet", "one", clock.time)
    acquiring = asyncio.create_task(lease.acquire())
    await settle()
    lost = lease.valid()
    api.loses_answers = False
    await clock.advance(3)
    await acquiring

    assert not lost
    assert lease.valid()
    assert lease.transitions == 0


async def test_a_label_that_somebody_puts_on_the_lease_does_not_cost_it(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")
    election.fake.patch("leases", "default", "inferfleet", {"metadata": {"labels": {"a": "b"}}})
    await clock.advance(30)

    assert first.lease.valid()


async def test_row_16_a_leader_that_finds_another_holder_ends_at_once(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")
    election.fake.patch("leases", "default", "inferfleet", {"spec": {"holderIdentity": "other"}})
    await clock.advance(2.1)

    assert first.ended_at is not None
    assert not first.lease.valid()


async def test_a_leader_whose_lease_was_deleted_ends_and_a_standby_leads(
    election: Election, clock: ManualClock
) -> None:
    first = await election.join("one")
    second = await election.join("two")
    election.fake.delete("leases", "default", "inferfleet")
    await clock.advance(5)

    assert first.ended_at is not None
    assert second.lease.valid()
    assert election.leaders() == ["two"]


async def test_a_holder_that_published_a_longer_duration_is_given_it(election: Election, clock: ManualClock) -> None:
    election.fake.add(held_by("newer", 25))
    second = await election.join("two")
    await clock.advance(24)
    waits = second.leads_since is None
    await clock.advance(6)

    assert waits
    assert second.lease.valid()


async def test_a_duration_that_would_lock_everybody_out_is_bounded(election: Election, clock: ManualClock) -> None:
    election.fake.add(held_by("gone", 1_000_000))
    second = await election.join("two")
    await clock.advance(65)

    assert second.lease.valid()


async def test_standbys_look_at_different_moments(election: Election) -> None:
    await election.join("one")
    early, late = ManualClock(chance=0.0), ManualClock(chance=0.9999)

    await election.join("early", early)
    await election.join("late", late)

    assert early.slept[0] == pytest.approx(1.6)
    assert late.slept[0] == pytest.approx(2.4, abs=0.001)


def held_by(name: str, seconds: int) -> Json:
    spec = {"holderIdentity": name, "leaseDurationSeconds": seconds, "renewTime": "2026-01-01T00:00:00.000000Z"}
    meta = {"name": "inferfleet", "namespace": "default"}
    return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": spec}


async def test_a_lease_works_over_the_wire(fake: FakeKube, clock: ManualClock) -> None:
    async with open_client(connection_to(fake.url), clock.hurried) as client:
        lease = Lease(client, "default", "inferfleet", "one", clock.time, Terms(2.0, 1.5, 0.2))
        await lease.acquire()
        holding = asyncio.create_task(lease.hold())
        for renewals in range(1, 6):
            await clock.advance(0.2)
            await until(lambda: len(fake.writes()) > renewals)  # noqa: B023 - awaited before the next turn
        holding.cancel()
        await lease.release()

        found = await client.get(LEASES, "default", "inferfleet")

    assert found is not None
    assert found["spec"]["holderIdentity"] == ""
    assert {entry.status for entry in fake.log} <= {200, 201, 404}


async def test_deleting_a_lease_of_another_uid_is_refused(fake: FakeKube, clock: ManualClock) -> None:
    fake.add(held_by("one", 15))
    async with open_client(connection_to(fake.url), clock.hurried) as client:
        with pytest.raises(KubeError, match="Conflict"):
            await client.delete(Ref(LEASES, "default", "inferfleet"), "another")
