"""Rounds: who is visited when, how many at once, and what is forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

import pytest

from inferfleet.serving.rounds import Rounds
from serving.fakes import Hand


class Visits:
    """Counts visits; each comes again after `wait` seconds."""

    def __init__(self, wait: float | None = 30.0) -> None:
        self.wait = wait
        self.seen: Counter[str] = Counter()
        self.gate: asyncio.Event | None = None
        self.came = asyncio.Event()
        self.most = 0
        self._now = 0

    async def __call__(self, place: str) -> float | None:
        self.seen[place] += 1
        self.came.set()
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if self.gate:
                await self.gate.wait()
        finally:
            self._now -= 1
        return self.wait


async def test_a_new_place_is_visited_at_once_and_then_when_it_is_due() -> None:
    hand, visits = Hand(), Visits()
    rounds = Rounds(hand, visits, 4)
    rounds.watch("model", ["a"])

    rounds.start_due()
    await rounds.settle()
    assert rounds.start_due() == 30.0
    hand.now += 29
    rounds.start_due()
    assert visits.seen["a"] == 1
    hand.now += 1
    rounds.start_due()
    await rounds.settle()
    assert visits.seen["a"] == 2


async def test_saying_the_same_again_visits_nobody_sooner() -> None:
    visits = Visits()
    rounds = Rounds(Hand(), visits, 4)
    for _ in range(5):
        assert rounds.watch("model", ["a"]) == frozenset()
        rounds.start_due()
        await rounds.settle()

    assert visits.seen["a"] == 1


async def test_no_more_than_the_limit_at_once_and_the_rest_after() -> None:
    visits = Visits()
    visits.gate = asyncio.Event()
    rounds = Rounds(Hand(), visits, 4)
    rounds.watch("model", [str(number) for number in range(10)])

    rounds.start_due()
    await asyncio.sleep(0)
    assert sum(visits.seen.values()) == 4
    visits.gate.set()
    while sum(visits.seen.values()) < 10:
        await rounds.settle()
        rounds.start_due()
    await rounds.settle()
    assert visits.most == 4
    assert set(visits.seen.values()) == {1}


async def test_a_place_that_is_gone_is_left_in_the_middle_of_a_visit() -> None:
    visits = Visits()
    visits.gate = asyncio.Event()
    rounds = Rounds(Hand(), visits, 4)
    rounds.watch("model", ["a", "b"])
    rounds.start_due()
    await asyncio.sleep(0)

    assert rounds.watch("model", ["b"]) == {"a"}
    visits.gate.set()
    await rounds.settle()
    await asyncio.sleep(0)

    assert rounds.start_due() == 30.0


async def test_a_place_that_comes_and_goes_is_visited_by_one_round_only() -> None:
    hand, visits = Hand(), Visits()
    rounds = Rounds(hand, visits, 4)
    for _ in range(5):
        rounds.watch("model", ["a"])
        rounds.start_due()
        await rounds.settle()
        rounds.watch("model", [])
    rounds.watch("model", ["a"])
    rounds.start_due()
    await rounds.settle()
    visits.seen.clear()

    hand.now += 31
    rounds.start_due()
    await rounds.settle()
    rounds.start_due()
    await rounds.settle()

    assert visits.seen["a"] == 1


async def test_a_place_that_wants_no_more_visits_gets_none() -> None:
    hand, visits = Hand(), Visits(wait=None)
    rounds = Rounds(hand, visits, 4)
    rounds.watch("model", ["a"])
    rounds.start_due()
    await rounds.settle()

    hand.now += 1e6
    rounds.start_due()
    await rounds.settle()
    assert visits.seen["a"] == 1


async def test_an_odd_place_is_logged_and_does_not_stop_the_rounds(caplog: pytest.LogCaptureFixture) -> None:
    hand, seen = Hand(), []

    async def visit(place: str) -> float:
        seen.append(place)
        if place == "odd":
            raise RuntimeError(place)
        return 5.0

    rounds = Rounds(hand, visit, 4)
    rounds.watch("model", ["odd", "even"])
    with caplog.at_level(logging.ERROR):
        rounds.start_due()
        await rounds.settle()
    hand.now += 30
    rounds.start_due()
    await rounds.settle()

    assert sorted(seen) == ["even", "even", "odd", "odd"]
    assert "A visit failed." in caplog.text


async def test_running_visits_new_places_and_ends_its_visits_when_cancelled() -> None:
    visits = Visits()
    visits.gate = asyncio.Event()
    rounds = Rounds(Hand(), visits, 4)
    running = asyncio.create_task(rounds.run())
    await asyncio.sleep(0)

    rounds.watch("model", ["a"])
    await visits.came.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    assert len(asyncio.all_tasks()) == 1


async def test_rounds_that_are_cancelled_in_the_moment_something_changes_end() -> None:
    rounds: Rounds[str] = Rounds(Hand(), Visits(), 4)
    running = asyncio.create_task(rounds.run())
    await asyncio.sleep(0)

    rounds.watch("model", ["a"])
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running], timeout=1.0)

    assert running.cancelled()
