"""Who leads when requests are lost, clocks differ, or a leader stands still."""

from __future__ import annotations

import asyncio

import pytest

from inferfleet.kube.lease import REQUEST_SECONDS, Lease
from inferfleet.kube.transport import Limits
from support.fake_kube import ManualClock
from support.fake_kube.clock import settle
from support.fake_kube.election import Election, held_by
from support.fake_kube.leases import DirectLeases

WRITE_SECONDS = Limits().write_seconds


async def test_row_09_a_leader_that_was_frozen_may_not_write_and_ends(election: Election, clock: ManualClock) -> None:
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


async def test_row_09_a_leader_that_was_frozen_alone_ends_without_trying_to_renew(
    election: Election, clock: ManualClock
) -> None:
    frozen = await election.join("one")
    await clock.advance(4.5)
    writes = len(frozen.api.writes)
    clock.seconds += 20

    await clock.advance(2)

    assert frozen.ended_at is not None
    assert len(frozen.api.writes) == writes


@pytest.mark.parametrize("moment", [10.0, 10.5, 11.0, 11.5, 12.0])
async def test_row_10_the_last_write_of_a_cut_off_leader_is_over_before_a_rival_leads(
    election: Election, clock: ManualClock, moment: float
) -> None:
    first = await election.join("one")
    second = await election.join("two")
    await clock.advance(moment)
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


async def test_row_16_a_leader_that_finds_another_holder_ends_at_once(election: Election, clock: ManualClock) -> None:
    first = await election.join("one")
    election.fake.patch("leases", "default", "inferfleet", {"spec": {"holderIdentity": "other"}})
    await clock.advance(2.1)

    assert first.ended_at is not None
    assert not first.lease.valid()


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
