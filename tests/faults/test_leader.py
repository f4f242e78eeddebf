"""Rows 6 to 12: whole processes, of which one leads, and what may happen to the one that does.

The one rule: the Lease of production, 15, 10 and 2 seconds; what a process did is read off the API server's own log.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from faults.points import NEXT_IMAGE
from inferfleet.api.base import Json
from support.fake_kube.clock import EPOCH
from support.operator_process import Deployment, Replica
from support.simulation import Simulation

TAKEOVER_SECONDS = 20.0
LAST_WRITE_SECONDS = 10.0 + 4.0
"""A leader trusts itself for ten seconds, and a write that it begins then takes four at most."""


@asynccontextmanager
async def load(sim: Simulation) -> AsyncIterator[None]:
    """Let a user edit two models all the time, and scale them now and then; each is to have two replicas in the end."""

    async def edit() -> None:
        for count in range(10_000):
            sim.apply("xy"[count % 2], replicas=1 + count // 10 % 3, rollout={"progressDeadlineSeconds": 600 + count})
            await asyncio.sleep(0.4)

    editing = asyncio.create_task(edit())
    await sim.passes(5.0)
    yield
    editing.cancel()
    for name in "xy":
        sim.apply(name, replicas=2)
    await sim.settled(*"xy")


def writers(sim: Simulation, begin: int = 0) -> set[str]:
    """Show who wrote anything but the Lease."""
    return {entry.user for entry in sim.fake.log[begin:] if entry.writes and entry.resource != "leases"}


def wrote_last(sim: Simulation, replica: Replica) -> float:
    """Show when the last write of a replica was carried out, but for those of the Lease."""
    return max(entry.at for entry in sim.fake.writes("leases") if entry.user == replica.name)


def holder(sim: Simulation) -> str:
    """Show who holds the Lease."""
    (lease,) = sim.fake.all("leases")
    return str(lease["spec"]["holderIdentity"])


async def test_row_06_a_leader_that_is_told_to_end_is_followed_within_three_seconds(
    sim: Simulation, fleet: Deployment
) -> None:
    fleet.restarts = False
    fleet.start()
    async with load(sim):
        leader, standby = await fleet.led()
        told_at = sim.clock.monotonic()

        leader.terminate()
        await sim.until(lambda: standby.leads)

        assert standby.led_since - told_at <= 3.0
        assert leader.status == 0
        assert wrote_last(sim, leader) <= leader.ended_at <= standby.led_since


async def test_row_06_a_beat_that_hangs_is_given_ten_seconds_to_end(sim: Simulation, fleet: Deployment) -> None:
    fleet.restarts = False
    fleet.start()
    leader, standby = await fleet.led()
    with sim.fake.fault(verb="get", resource="modeldeployments", hang=True):
        sim.apply()
        await sim.passes(1.0)
        told_at = sim.clock.monotonic()

        leader.terminate()
        await sim.until(lambda: standby.leads)

    assert leader.status == 0
    assert leader.ended_at - told_at == pytest.approx(10.0, abs=0.1)
    assert standby.led_since - leader.ended_at <= 3.0
    await sim.settled()


async def test_row_07_of_two_that_start_together_one_leads_and_the_other_writes_nothing(
    sim: Simulation, fleet: Deployment
) -> None:
    leader, standby = await fleet.serve()

    assert writers(sim) == {leader.name}
    assert not [entry for entry in sim.fake.log if entry.user == standby.name and entry.verb == "watch"]
    assert (standby.process._live(), standby.process._ready()) == (True, True)


@pytest.mark.parametrize("moment", [0.0, 1.4])
async def test_row_08_a_leader_that_is_killed_for_good_is_followed_within_twenty_seconds(
    sim: Simulation, fleet: Deployment, moment: float
) -> None:
    fleet.restarts = False
    fleet.start()
    async with load(sim):
        leader, standby = await fleet.led()
        await sim.passes(moment)

        leader.kill()
        sim.apply("new", gpu={"count": 0})
        begin = len(sim.fake.log)
        took = await sim.until(lambda: standby.name in writers(sim, begin))

        assert took <= TAKEOVER_SECONDS
        assert standby.led_since - leader.ended_at >= 10.0
        await sim.until(lambda: sim.serves("new"), 60.0)


async def test_row_08_a_leader_that_is_started_again_in_its_pod_leads_on_at_once(
    sim: Simulation, fleet: Deployment
) -> None:
    fleet.start()
    async with load(sim):
        leader, standby = await fleet.led()

        leader.kill()
        await sim.until(lambda: fleet.ended and len(fleet.leaders) == 1)

        assert fleet.leaders[0].name == leader.name
        assert fleet.leaders[0].led_since - leader.ended_at <= 5.0
        assert not standby.leads


@pytest.mark.parametrize("moment", [0.3, 1.7])
async def test_row_09_a_leader_that_stood_still_for_twenty_seconds_writes_no_more_and_ends(
    sim: Simulation, fleet: Deployment, moment: float
) -> None:
    fleet.start()
    async with load(sim):
        leader, standby = await fleet.led()
        await sim.passes(moment)

        leader.freeze()
        stopped_at = sim.clock.monotonic()
        await sim.passes(20.0)
        leader.thaw()
        await sim.until(lambda: leader.status is not None, 3.0)
    await sim.passes(30.0)

    assert leader.status == 1
    assert wrote_last(sim, leader) <= stopped_at + 0.01
    assert standby.led_since - stopped_at <= TAKEOVER_SECONDS
    assert fleet.leaders == [standby]


@asynccontextmanager
async def harmed(sim: Simulation, leader: Replica, trouble: str) -> AsyncIterator[None]:
    """Take the Lease away from a leader's reach; where it is slow, what it writes arrives as late as it can."""
    if trouble == "cut off":
        leader.line.cut = True
        yield
        return
    mine = {"verb": "write", "user": leader.name}
    with sim.fake.fault(resource="leases", hang=True, **mine), sim.fake.fault(latency=3.9, **mine):
        yield


@pytest.mark.parametrize(("trouble", "moment"), [("cut off", 0.9), ("slow", 0.0), ("slow", 1.7)])
async def test_row_10_the_last_write_of_a_leader_without_a_lease_is_over_before_another_leads(
    sim: Simulation, fleet: Deployment, trouble: str, moment: float
) -> None:
    fleet.restarts = False
    fleet.start()
    async with load(sim):
        leader, standby = await fleet.led()
        await sim.passes(moment)
        cut_at = sim.clock.monotonic()
        async with harmed(sim, leader, trouble):
            await sim.until(lambda: standby.leads, TAKEOVER_SECONDS)
    await sim.passes(60.0)

    last = wrote_last(sim, leader)
    assert (last > leader.ended_at) == (trouble == "slow")
    assert last - cut_at <= LAST_WRITE_SECONDS
    assert last < standby.led_since
    assert (leader.status, leader.ended_at - cut_at <= 12.0) == (1, True)
    assert fleet.leaders == [standby]


@pytest.mark.parametrize("ahead", [-600.0, 600.0])
async def test_row_11_a_leader_whose_clock_is_wrong_is_left_alone_and_followed_in_time(
    sim: Simulation, fleet: Deployment, ahead: float
) -> None:
    fleet.configure = lambda replica: replica.clock.step(ahead if replica.name == "a" else 0.0)
    fleet.restarts = False
    fleet.start("a")
    sim.apply(replicas=2)
    await sim.settled()
    fleet.start("b")
    await sim.passes(60.0)
    leader, standby = await fleet.led()
    said, begin = sim.status(), len(sim.fake.log)

    leader.kill()
    await sim.until(lambda: standby.leads, TAKEOVER_SECONDS)
    await sim.passes(330.0)

    assert leader.name == "a"
    assert writers(sim, begin) == set()
    assert sim.status() == said


@pytest.mark.parametrize("step", [-600.0, 600.0])
async def test_row_11_a_clock_that_is_set_during_an_upgrade_disturbs_nothing(
    sim: Simulation, fleet: Deployment, step: float
) -> None:
    leader, _ = await fleet.serve()
    before = times(sim.status())
    sim.apply(**NEXT_IMAGE)
    await sim.until(lambda: len(sim.pods()) == 3)

    leader.clock.step(step)
    await sim.settled()
    await sim.passes(330.0)

    assert fleet.leaders == [leader]
    assert sim.events() == []
    assert {pod["spec"]["containers"][0]["image"] for pod in sim.pods()} == {"registry.test/triton:2"}
    begun, now = (EPOCH.timestamp() + moment for moment in (1000.0, sim.clock.monotonic()))
    after = times(sim.status())
    assert all(begun - 600 <= moment <= now + 600 for moment in after.values())
    assert {kind for kind in before if after[kind] == before[kind]} == {"Accepted", "Available"}


def times(status: Json) -> dict[str, float]:
    """Show since when each condition holds."""
    found = {}
    for each in status["conditions"]:
        since = each["lastTransitionTime"].replace("Z", "+00:00")
        found[each["type"]] = type(EPOCH).fromisoformat(since).timestamp()
    return found


async def test_row_12_a_leader_whose_loop_is_blocked_is_ended_by_its_watchdog_and_another_leads(
    sim: Simulation, fleet: Deployment
) -> None:
    fleet.configure = lambda replica: setattr(replica, "watched", True)
    fleet.start()
    async with load(sim):
        leader, _ = await fleet.led()
        blocked_at = sim.clock.monotonic()

        leader.block()
        await sim.until(lambda: leader.status is not None, 15.0)
        fleet.restarts = False

        assert leader.status == 1
        assert 4.5 <= leader.ended_at - blocked_at <= 6.0
        assert wrote_last(sim, leader) <= blocked_at + 0.01
        await sim.until(lambda: bool(fleet.leaders), TAKEOVER_SECONDS)


BLOCKED = """
import asyncio, time
from inferfleet.handlers import watchdog
watchdog.LONGEST_LAG, watchdog.TICK = 0.2, 0.05
dog = watchdog.Watchdog()
async def main():
    beating = asyncio.create_task(dog.beat("main"))
    dog.start()
    await asyncio.sleep(0.5)
    print("beats", flush=True)
    time.sleep(30.0)
asyncio.run(main())
"""


@pytest.mark.slow
def test_row_12_a_blocked_loop_ends_a_real_process_and_one_that_turns_does_not() -> None:
    ended = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 1
    assert ended.stdout == "beats\n"
    assert re.search(r'"message": "loop main blocked for [0-9]+\.[0-9] s"', ended.stderr)
