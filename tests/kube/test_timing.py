"""Rates and delays, on a clock that only moves by hand."""

from __future__ import annotations

import asyncio

from inferfleet.kube.timing import Backoff, TokenBucket
from support.fake_kube.clock import ManualClock


async def test_a_burst_passes_at_once_and_the_rest_at_the_rate(clock: ManualClock) -> None:
    bucket = TokenBucket(clock.time, rate=10, burst=5)
    passed: list[float] = []

    async def take() -> None:
        await bucket.take()
        passed.append(clock.seconds)

    tasks = [asyncio.create_task(take()) for _ in range(8)]
    await clock.advance(1)

    assert passed == [0, 0, 0, 0, 0, 0.1, 0.2, 0.3]
    assert all(task.done() for task in tasks)


async def test_an_idle_bucket_fills_to_its_burst_and_not_beyond(clock: ManualClock) -> None:
    bucket = TokenBucket(clock.hurried, rate=10, burst=2)
    await clock.advance(1000)

    for _ in range(3):
        await bucket.take()

    assert clock.seconds == 1000.1


async def test_a_closed_bucket_lets_nobody_pass(clock: ManualClock) -> None:
    bucket = TokenBucket(clock.hurried, rate=10, burst=2)
    bucket.close_for(3)
    bucket.close_for(1)

    await bucket.take()

    assert clock.seconds == 3


async def test_delays_double_up_to_the_longest_and_start_again_after_a_reset() -> None:
    clock = ManualClock(chance=0.5)
    backoff = Backoff(clock.hurried, 1, 30)

    for _ in range(7):
        await backoff.wait()
    backoff.reset()
    await backoff.wait()

    assert clock.slept == [1, 2, 4, 8, 16, 30, 30, 1]


async def test_delays_are_varied_by_a_fifth() -> None:
    low, high = ManualClock(chance=0.0), ManualClock(chance=0.999999)

    await Backoff(low.hurried, 10, 30).wait()
    await Backoff(high.hurried, 10, 30).wait()

    assert low.slept == [8]
    assert 11.9 < high.slept[0] <= 12
