"""Who leads, by clocks that a test moves."""

from __future__ import annotations

import asyncio

import pytest

from inferfleet.errors import KubeError
from inferfleet.kube.kinds import LEASES, Ref
from inferfleet.kube.lease import Lease, Terms
from inferfleet.kube.transport import Limits
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to, open_client, until
from support.fake_kube.election import Election, held_by

WRITE_SECONDS = Limits().write_seconds


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


async def test_row_07_of_two_replicas_that_start_together_one_leads_and_one_writes_nothing(
    election: Election, clock: ManualClock
) -> None:
    first, second = await asyncio.gather(election.join("one"), election.join("two"))
    for _ in range(100):
        await clock.advance(1)
        assert election.leaders() == ["one"]

    assert second.api.writes == []
    assert first.lease.transitions == 0


async def test_row_07_of_two_creations_at_the_same_moment_one_is_refused(
    election: Election, clock: ManualClock
) -> None:
    slow = ManualClock()
    for name in ("one", "two"):
        replica = await election.join(name, slow)
        replica.api.latency = 1
    await slow.advance(60)

    assert len(election.leaders()) == 1


@pytest.mark.parametrize("moment", [31.0, 31.5, 32.0, 32.5, 33.0])
async def test_row_08_a_killed_leader_is_followed_within_twenty_seconds(
    election: Election, clock: ManualClock, moment: float
) -> None:
    first = await election.join("one")
    second = await election.join("two")
    await clock.advance(moment)
    first.kill()
    killed_at = clock.seconds
    await clock.advance(20)

    assert second.leads_since is not None
    assert second.leads_since - killed_at <= 20
    assert second.lease.transitions == 1


async def test_row_06_a_leader_that_releases_is_followed_within_three_seconds(
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


async def test_row_06_a_replica_that_does_not_lead_releases_nothing(election: Election) -> None:
    await election.join("one")
    second = await election.join("two")

    await second.lease.release()

    assert election.spec["holderIdentity"] == "one"


async def test_a_label_that_somebody_puts_on_the_lease_does_not_cost_it(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")
    election.fake.patch("leases", "default", "inferfleet", {"metadata": {"labels": {"a": "b"}}})
    await clock.advance(30)

    assert first.lease.valid()


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


async def test_standbys_look_at_different_moments(election: Election) -> None:
    await election.join("one")
    early, late = ManualClock(chance=0.0), ManualClock(chance=0.9999)

    await election.join("early", early)
    await election.join("late", late)

    assert early.slept[0] == pytest.approx(1.6)
    assert late.slept[0] == pytest.approx(2.4, abs=0.001)


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
