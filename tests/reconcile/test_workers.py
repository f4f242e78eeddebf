"""The workers: nothing escapes a beat, every key comes back, and no key waits for another's trouble."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from inferfleet.errors import KubeError, NotReadyYet
from inferfleet.reconcile.queue import LONGEST_RETRY, Key, Queue
from inferfleet.reconcile.workers import BEAT_SECONDS, NEVER, RESYNC_SECONDS, Result, Workers
from support.virtual_time import LoopClock

A, B = Key("x", "a"), Key("y", "b")


@dataclass
class Shop:
    """Workers whose beats are scripted by key; what is not scripted is good."""

    script: dict[Key, Callable[[], float | None]] = field(default_factory=dict)
    lasts: dict[Key, float] = field(default_factory=dict)
    begun: list[tuple[float, Key]] = field(default_factory=list)
    ended: list[Key] = field(default_factory=list)
    results: list[tuple[Result, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        time = LoopClock().time
        self.monotonic = time.monotonic
        self.queue = Queue(time.monotonic, time.around)
        self.workers = Workers(self.queue, self._beat, self, time.monotonic, time.around)

    async def _beat(self, key: Key) -> float | None:
        self.begun.append((self.monotonic(), key))
        await asyncio.sleep(self.lasts.get(key, 0.0))
        self.ended.append(key)
        return self.script[key]() if key in self.script else None

    def beat(self, result: Result, seconds: float) -> None:
        self.results.append((result, seconds))

    def times(self, key: Key) -> list[float]:
        return [moment for moment, each in self.begun if each == key]

    @asynccontextmanager
    async def open(self, count: int = 2) -> AsyncIterator[asyncio.Task[None]]:
        running = asyncio.create_task(self.workers.run(count))
        yield running
        running.cancel()
        await asyncio.wait([running])


def raising(error: Exception) -> Callable[[], float | None]:
    def fail() -> float | None:
        raise error

    return fail


@pytest.mark.parametrize(("says", "expected"), [(5.0, 5.0), (None, RESYNC_SECONDS), (10_000.0, RESYNC_SECONDS)])
async def test_a_good_beat_says_when_to_look_again_and_the_resync_is_the_latest(
    says: float | None, expected: float
) -> None:
    shop = Shop({A: lambda: says})
    async with shop.open():
        shop.queue.add(A)
        await asyncio.sleep(2.5 * expected)

    assert [later - earlier for earlier, later in pairwise(shop.times(A))] == pytest.approx([expected] * 2, abs=0.01)
    assert {result for result, _ in shop.results} == {"done"}


async def test_a_model_that_is_gone_is_never_looked_at_again() -> None:
    def gone() -> float | None:
        shop.queue.later(A, 50.0)
        return NEVER

    shop = Shop({A: gone})
    async with shop.open():
        shop.queue.add(A)
        await asyncio.sleep(10_000.0)

    assert len(shop.begun) == 1


async def test_a_beat_that_waits_for_the_world_comes_back_when_it_says_and_does_not_back_off() -> None:
    shop = Shop({A: raising(NotReadyYet("NoGpuFree", "Wait.", retry_after=42.0))})
    async with shop.open():
        shop.queue.add(A)
        await asyncio.sleep(42.0 * 4.5)

    assert [later - earlier for earlier, later in pairwise(shop.times(A))] == pytest.approx([42.0] * 4, abs=0.01)
    assert {result for result, _ in shop.results} == {"waits"}
    assert shop.queue.retries == 0


@pytest.mark.parametrize(
    "error", [KubeError("Unreachable", "Gone."), ValueError("broken"), RuntimeError(), KeyError(1)]
)
async def test_a_beat_that_fails_backs_off_to_a_minute_and_other_keys_do_not_notice(error: Exception) -> None:
    shop = Shop({A: raising(error), B: lambda: 1.0})
    async with shop.open(1):
        shop.queue.add(A)
        shop.queue.add(B)
        await asyncio.sleep(600.0)

    gaps = [later - earlier for earlier, later in pairwise(shop.times(A))]
    assert gaps == sorted(gaps)
    assert gaps[0] == pytest.approx(0.05, abs=0.01)
    assert gaps[-1] == pytest.approx(LONGEST_RETRY, abs=0.01)
    assert max(later - earlier for earlier, later in pairwise(shop.times(B))) == pytest.approx(1.0, abs=0.01)


async def test_one_good_beat_forgets_the_failures_before_it() -> None:
    answers = iter([KubeError("Unreachable", "Gone.")] * 8 + [None] + [KubeError("Unreachable", "Gone.")] * 2)

    def beat() -> float | None:
        error = next(answers)
        if error is not None:
            raise error
        return 100.0

    shop = Shop({A: beat})
    async with shop.open():
        shop.queue.add(A)
        await asyncio.sleep(120.0)

    gaps = [later - earlier for earlier, later in pairwise(shop.times(A))]
    assert gaps[8:10] == pytest.approx([100.0, 0.05], abs=0.01)


async def test_a_beat_that_hangs_is_given_up_and_comes_back_while_others_are_served() -> None:
    shop = Shop({B: lambda: 1.0}, lasts={A: 10_000.0})
    async with shop.open(2):
        shop.queue.add(A)
        shop.queue.add(B)
        await asyncio.sleep(BEAT_SECONDS + 1.0)

    assert len(shop.times(A)) == 2
    assert A not in shop.ended
    assert [seconds for result, seconds in shop.results if result == "failed"] == pytest.approx(
        [BEAT_SECONDS], abs=0.01
    )
    assert len(shop.times(B)) >= BEAT_SECONDS - 1


async def test_what_nobody_foresaw_is_logged_with_its_place_and_what_was_foreseen_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Shop({A: raising(ValueError("broken")), B: raising(KubeError("Conflict", "Again.", status=409))})
    with caplog.at_level(logging.INFO):
        async with shop.open():
            shop.queue.add(A)
            shop.queue.add(B)
            await asyncio.sleep(0.01)

    traced = {record.getMessage().split()[0]: record.exc_info is not None for record in caplog.records}
    assert traced == {"x/a": True, "y/b": False}


async def test_no_key_is_in_two_workers_and_a_wake_up_during_its_beat_runs_it_once_more() -> None:
    shop = Shop(lasts={A: 10.0})
    async with shop.open(4):
        for _ in range(9):
            shop.queue.add(A)
            await asyncio.sleep(1.0)
        await asyncio.sleep(30.0)

    first, second = shop.times(A)
    assert second - first == pytest.approx(10.0, abs=0.01)


async def test_told_to_stop_workers_end_their_beats_and_take_no_further_key() -> None:
    shop = Shop(lasts={A: 8.0})
    async with shop.open(1) as running:
        shop.queue.add(A)
        shop.queue.add(B)
        await asyncio.sleep(1.0)
        begun = shop.monotonic()

        shop.workers.stop()
        await asyncio.wait([running])

        assert shop.monotonic() - begun == pytest.approx(7.0, abs=0.01)
    assert shop.ended == [A]
    assert len(shop.queue) == 1


async def test_told_to_stop_workers_without_a_key_end_at_once() -> None:
    shop = Shop()
    async with shop.open(3) as running:
        await asyncio.sleep(5.0)

        shop.workers.stop()
        await asyncio.wait([running], timeout=0.1)

        assert running.done()
