"""The work queue: no wake-up is lost, no key is in two workers, no namespace waits for another, failures back off."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.reconcile.queue import LONGEST_RETRY, Key, Queue
from support.fake_kube import ManualClock
from support.fake_kube.clock import settle
from support.virtual_time import LoopClock, VirtualLoop

A, B, C = Key("x", "a"), Key("x", "b"), Key("y", "c")


@pytest.fixture
async def queue() -> Queue:
    clock = LoopClock().time
    return Queue(clock.monotonic, clock.around)


async def test_a_key_that_is_woken_often_is_taken_once(queue: Queue) -> None:
    for _ in range(5):
        queue.add(A)

    assert await queue.take() == A
    assert len(queue) == 0
    assert queue.adds == 5


async def test_a_wake_up_during_the_beat_runs_it_once_more_and_not_beside_it(queue: Queue) -> None:
    queue.add(A)
    await queue.take()
    queue.add(A)
    second = asyncio.create_task(queue.take())
    await settle()

    assert not second.done()

    queue.done(A)

    assert await second == A


async def test_others_are_taken_while_a_key_is_being_worked_on(queue: Queue) -> None:
    for key in A, B, C:
        queue.add(key)
    first = await queue.take()
    queue.add(first)

    assert {await queue.take(), await queue.take()} == {A, B, C} - {first}


async def test_a_namespace_with_a_thousand_models_does_not_keep_another_waiting(queue: Queue) -> None:
    for number in range(1000):
        queue.add(Key("large", f"m{number}"))
    queue.add(Key("small", "m"))

    assert Key("small", "m") in {await queue.take(), await queue.take()}


async def test_each_namespace_gets_its_turn(queue: Queue) -> None:
    for namespace in "abc":
        for number in range(10):
            queue.add(Key(namespace, str(number)))

    taken = [(await queue.take()).namespace for _ in range(30)]

    assert all(Counter(taken[:cut])[name] <= cut // 3 + 1 for cut in range(1, 31) for name in "abc")


async def test_a_later_time_wakes_a_key_then_and_not_before(queue: Queue) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    queue.later(A, 30.0)

    assert await queue.take() == A
    assert loop.time() - begun == pytest.approx(30.0, abs=0.01)


async def test_the_earliest_of_several_times_counts_and_it_wakes_once(queue: Queue) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for seconds in 60.0, 10.0, 30.0:
        queue.later(A, seconds)
    await queue.take()
    queue.done(A)

    assert loop.time() - begun == pytest.approx(10.0, abs=0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(300.0):
            await queue.take()


async def test_a_key_that_is_taken_needs_its_timers_no_more(queue: Queue) -> None:
    queue.later(A, 10.0)
    queue.add(A)
    await queue.take()
    queue.done(A)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(300.0):
            await queue.take()


async def test_an_earlier_time_wakes_a_worker_that_already_waits(queue: Queue) -> None:
    loop = asyncio.get_running_loop()
    queue.later(A, 100.0)
    taking = asyncio.create_task(queue.take())
    await settle()
    begun = loop.time()
    queue.later(B, 5.0)

    assert await taking == B
    assert loop.time() - begun == pytest.approx(5.0, abs=0.01)


async def test_failures_back_off_from_a_moment_to_a_minute_and_success_forgets_them(queue: Queue) -> None:
    delays = [queue.retry(A) for _ in range(20)]

    assert delays[0] == pytest.approx(0.05)
    assert all(later >= earlier for earlier, later in pairwise(delays))
    assert delays[-1] == LONGEST_RETRY

    queue.succeeded(A)

    assert queue.retry(A) == pytest.approx(0.05)
    assert queue.retry(B) == pytest.approx(0.05)


async def test_delays_after_failures_are_spread() -> None:
    low, high = ManualClock(chance=0.0).time, ManualClock(chance=0.999).time

    assert Queue(low.monotonic, low.around).retry(A) == pytest.approx(0.04)
    assert Queue(high.monotonic, high.around).retry(A) == pytest.approx(0.06, rel=0.01)


async def test_a_key_that_is_gone_is_forgotten_with_its_timers(queue: Queue) -> None:
    queue.retry(A)
    queue.forget(A)

    assert queue.retry(A) == pytest.approx(0.05)
    queue.forget(A)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(300.0):
            await queue.take()


async def test_the_age_of_the_oldest_shows_how_long_work_waits(queue: Queue) -> None:
    assert queue.oldest_age == 0.0

    queue.add(A)
    await asyncio.sleep(3.0)
    queue.add(A)
    queue.add(B)

    assert queue.oldest_age == pytest.approx(3.0, abs=0.01)


async def cancelled_after(ticks: int, chosen: asyncio.Task[Key], tasks: list[asyncio.Task[Key]]) -> None:
    """Cancel a task at a turn of the loop, and wait until all have ended."""
    for _ in range(ticks):
        await asyncio.sleep(0)
    chosen.cancel()
    async with asyncio.timeout(100.0):
        await asyncio.wait(tasks)


@pytest.mark.parametrize("ticks", range(4))
async def test_a_worker_that_is_cancelled_around_the_moment_of_a_wake_up_loses_no_key(queue: Queue, ticks: int) -> None:
    queue.later(B, 1000.0)
    taking = asyncio.create_task(queue.take())
    await settle()
    queue.add(A)
    await cancelled_after(ticks, taking, [taking])

    assert not taking.cancelled() or len(queue) == 1


@pytest.mark.parametrize("ticks", range(4))
async def test_a_worker_that_is_cancelled_while_keys_come_ends(queue: Queue, ticks: int) -> None:
    queue.later(B, 1000.0)
    first = asyncio.create_task(queue.take())
    await settle()
    second = asyncio.create_task(queue.take())
    await settle()
    queue.add(A)
    await cancelled_after(ticks, second, [first, second])

    assert second.cancelled()


Moves = st.lists(st.tuples(st.sampled_from("awd"), st.sampled_from([A, B, C])), max_size=60)


@given(moves=Moves, workers=st.integers(1, 3))
def test_whatever_happens_every_wake_up_is_followed_by_a_beat_that_began_after_it(
    moves: list[tuple[str, Key]], workers: int
) -> None:
    async def story() -> None:
        clock = LoopClock().time
        queue = Queue(clock.monotonic, clock.around)
        busy: set[Key] = set()
        begun: Counter[Key] = Counter()
        unseen: set[Key] = set()

        async def work() -> None:
            while True:
                key = await queue.take()
                assert key not in busy
                busy.add(key)
                unseen.discard(key)
                begun[key] += 1
                await asyncio.sleep(1.0)
                busy.discard(key)
                queue.done(key)

        working = [asyncio.create_task(work()) for _ in range(workers)]
        for move, key in moves:
            if move == "a":
                unseen.add(key)
                queue.add(key)
            elif move == "w":
                await asyncio.sleep(0.3)
            else:
                unseen.add(key)
                queue.later(key, 0.5)
        await asyncio.sleep(200.0)
        for task in working:
            assert not task.done()
            task.cancel()
        assert not unseen
        assert not len(queue)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())
