"""A cache that follows the API server through everything that the API server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest

from inferfleet.api.base import Json
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.informer import Informer, Watched
from inferfleet.kube.kinds import CONFIG_MAPS, Kind
from inferfleet.kube.store import Store
from inferfleet.kube.timing import Time
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import Meter, connection_to, open_client, until
from support.fake_kube.manifests import config_map, thing_crd

MAPS = Watched(CONFIG_MAPS)
THINGS = Kind("test.inferfleet.dev", "v1", "things", "Thing")


@dataclass(slots=True)
class Following:
    """An informer at work, and what it told."""

    fake: FakeKube
    store: Store[str]
    informer: Informer[str]
    meter: Meter
    told: list[tuple[str | None, str | None]]

    def equals_the_api(self, plural: str = "configmaps") -> bool:
        return sorted(self.store) == sorted(map(shown, self.fake.all(plural)))

    async def is_watching(self, times: int = 1) -> None:
        """Wait until a watch is open, for the n-th time."""
        await until(lambda: self.watches() >= times and bool(self.fake.watches))

    def watches(self) -> int:
        return sum(entry.verb == "watch" for entry in self.fake.log)

    def lists(self) -> int:
        return sum(entry.verb == "list" for entry in self.fake.log)


def shown(obj: Json) -> str:
    return f"{obj['metadata']['name']}={(obj.get('data') or obj.get('spec') or {}).get('v')}"


@asynccontextmanager
async def following(fake: FakeKube, client: Client, time: Time, watched: Watched = MAPS) -> AsyncIterator[Following]:
    """Run an informer until the end of the block."""
    told: list[tuple[str | None, str | None]] = []
    store: Store[str] = Store(shown, lambda old, new: told.append((old, new)))
    meter = Meter()
    informer = Informer(client, watched, store, time, meter)
    task = asyncio.create_task(informer.run())
    try:
        yield Following(fake, store, informer, meter, told)
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def follow(fake: FakeKube, client: Client, clock: ManualClock) -> AsyncIterator[Following]:
    """Follow the config maps, of which there are two at the start."""
    for name in ("a", "b"):
        fake.add(config_map(name, {"v": "1"}))
    async with following(fake, client, clock.hurried) as found:
        await found.informer.synced.wait()
        await found.is_watching()
        yield found


async def test_a_listing_and_then_every_change_is_told(follow: Following) -> None:
    follow.fake.add(config_map("c", {"v": "1"}))
    follow.fake.patch("configmaps", "default", "a", {"data": {"v": "2"}})
    follow.fake.delete("configmaps", "default", "b")

    await until(lambda: len(follow.told) == 5)

    assert follow.told == [(None, "a=1"), (None, "b=1"), (None, "c=1"), ("a=1", "a=2"), ("b=1", None)]
    assert follow.equals_the_api()


async def test_a_scope_is_followed_and_nothing_beside_it(fake: FakeKube, client: Client, clock: ManualClock) -> None:
    fake.add_namespace("team")
    watched = Watched(CONFIG_MAPS, Scope("team", "mine=yes"))
    async with following(fake, client, clock.hurried, watched) as found:
        await found.is_watching()
        fake.add(config_map("theirs", {}, "team"))
        fake.add(config_map("elsewhere", {}, labels={"mine": "yes"}))
        fake.add(config_map("ours", {"v": "1"}, "team", labels={"mine": "yes"}))
        await until(lambda: len(found.store) == 1)
        fake.patch("configmaps", "team", "ours", {"metadata": {"labels": {"mine": None}}})
        await until(lambda: len(found.store) == 0)
        fake.patch("configmaps", "team", "ours", {"metadata": {"labels": {"mine": "yes"}}})
        await until(lambda: len(found.store) == 1)

    assert found.told == [(None, "ours=1"), ("ours=1", None), (None, "ours=1")]


async def test_a_stream_that_ends_as_agreed_is_resumed_at_once(follow: Following, clock: ManualClock) -> None:
    await clock.advance(300)
    follow.fake.close_watches()
    await follow.is_watching(2)
    follow.fake.add(config_map("c", {"v": "1"}))

    await until(follow.equals_the_api)

    assert follow.lists() == 1
    assert clock.slept == []


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.9999])
async def test_a_watch_is_asked_for_240_to_300_seconds(chance: float) -> None:
    clock = ManualClock(chance=chance)
    async with FakeKube(clock) as fake, open_client(connection_to(fake.url), clock.hurried) as client:
        with fake.fault(verb="watch", latency=0.0) as fault:
            async with following(fake, client, clock.hurried) as found:
                await found.is_watching()

    asked = fault.struck[0].query
    assert asked["timeoutSeconds"] == str(240 + int(chance * 61))
    assert asked["allowWatchBookmarks"] == "true"


async def test_row_20_a_stream_that_is_reset_is_resumed_from_its_version(follow: Following) -> None:
    follow.fake.drop_watches()
    follow.fake.delete("configmaps", "default", "a")
    follow.fake.add(config_map("c", {"v": "1"}))

    await until(follow.equals_the_api)

    assert follow.lists() == 1
    assert ("a=1", None) in follow.told
    assert follow.meter.restarts == ["Unreachable"]


async def test_row_21_a_silently_stalled_watch_is_found_and_resumed(
    fake: FakeKube, client: Client, clock: ManualClock
) -> None:
    watched = Watched(CONFIG_MAPS, stall_seconds=0.1)
    async with following(fake, client, clock.hurried, watched) as found:
        await found.is_watching()
        fake.freeze_watches()
        fake.add(config_map("a", {"v": "1"}))

        await until(found.equals_the_api)

    assert found.meter.restarts[0] == "Timeout"
    assert found.lists() == 1


def test_row_21_a_stall_is_found_after_70_seconds_while_bookmarks_come_each_minute() -> None:
    assert 60 < Watched(CONFIG_MAPS).stall_seconds <= 70


async def test_a_bookmark_moves_the_version_so_that_resuming_survives_a_compaction(follow: Following) -> None:
    for index in range(5):
        follow.fake.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s{index}"}})
    heard = len(follow.meter.heard_at)
    follow.fake.bookmark()
    await until(lambda: len(follow.meter.heard_at) > heard)
    follow.fake.compact()
    follow.fake.drop_watches()
    await follow.is_watching(2)

    assert follow.lists() == 1
    assert follow.meter.restarts == ["Unreachable"]


async def test_row_22_after_a_gap_the_cache_equals_the_api_and_deletions_are_told(follow: Following) -> None:
    with follow.fake.fault(verb="watch", status=503):
        follow.fake.drop_watches()
        await until(lambda: "ServiceUnavailable" in follow.meter.restarts)
        follow.fake.delete("configmaps", "default", "a")
        follow.fake.delete("configmaps", "default", "b")
        follow.fake.add(config_map("b", {"v": "other"}))
        follow.fake.add(config_map("c", {"v": "1"}))
        follow.fake.compact()

    await until(follow.equals_the_api)

    assert "Expired" in follow.meter.restarts
    assert follow.lists() == 2
    gap = follow.told[2:]
    assert ("a=1", None) in gap
    assert (None, "c=1") in gap
    assert gap.index(("b=1", None)) < gap.index((None, "b=other"))


async def test_row_22_a_page_that_expired_begins_the_listing_again(
    fake: FakeKube, client: Client, clock: ManualClock
) -> None:
    for index in range(150):
        fake.add(config_map(f"n{index}", {"v": "1"}))
    with fake.fault(verb="list", latency=0.0) as fault:
        fake.compact_after_next_page = True
        async with following(fake, client, clock.hurried) as found:
            await found.informer.synced.wait()

    assert found.meter.restarts == ["Expired"]
    assert [bool(asked.query.get("continue")) for asked in fault.struck] == [False, True, False, True]
    assert found.equals_the_api()


@pytest.mark.parametrize("code", [500, 504])
async def test_row_23_an_error_event_restarts_the_stream_and_not_the_listing(follow: Following, code: int) -> None:
    with follow.fake.fault(verb="watch", error_event=code, times=3):
        follow.fake.close_watches()
        await until(lambda: len(follow.meter.restarts) == 3)
    follow.fake.add(config_map("c", {"v": "1"}))

    await until(follow.equals_the_api)

    assert follow.lists() == 1


async def test_row_23_a_kind_that_is_deleted_and_made_again_leaves_no_ghost(
    fake: FakeKube, client: Client, clock: ManualClock
) -> None:
    fake.add(thing_crd(THINGS.group))
    fake.add(thing("a"))
    async with following(fake, client, clock.hurried, Watched(THINGS)) as found:
        await found.is_watching()
        fake.delete("customresourcedefinitions", "", f"things.{THINGS.group}")
        await until(lambda: "Http404" in found.meter.restarts)
        fake.add(thing_crd(THINGS.group))
        fake.add(thing("b"))

        await until(lambda: sorted(found.store) == ["b=None"])

    assert ("a=None", None) in found.told
    assert found.lists() == 2
    assert max(clock.slept) <= 5


def thing(name: str) -> Json:
    return {"apiVersion": THINGS.api_version, "kind": THINGS.kind, "metadata": {"name": name}, "spec": {}}


async def test_row_24_410_for_ever_is_met_with_less_than_one_listing_a_second(
    follow: Following, clock: ManualClock
) -> None:
    begun, before = clock.seconds, follow.lists()
    with follow.fake.fault(verb="watch", error_event=410) as fault:
        follow.fake.close_watches()
        await until(lambda: fault.hits >= 12)

    listings = follow.lists() - before
    assert listings >= 11
    assert listings / (clock.seconds - begun) < 1
    assert max(clock.slept) == 30


@pytest.mark.parametrize("status", [500, 503, 403, 429])
async def test_row_13_an_outage_of_every_read_is_outlasted_with_few_requests(
    follow: Following, clock: ManualClock, status: int
) -> None:
    begun = clock.seconds
    with follow.fake.fault(verb="read", status=status) as fault:
        follow.fake.drop_watches()
        await until(lambda: clock.seconds - begun > 600)
        asked = fault.hits
    follow.fake.add(config_map("c", {"v": "1"}))

    await until(follow.equals_the_api)

    assert asked <= 600 / 0.8
    assert follow.lists() == 1


async def test_row_14_a_server_that_is_away_at_the_start_is_waited_for(clock: ManualClock) -> None:
    fake = FakeKube(clock)
    await fake.start()
    port = int(fake.url.rpartition(":")[2])
    await fake.stop()
    async with open_client(connection_to(fake.url), clock.hurried) as client:
        again = FakeKube(clock)
        again.add(config_map("a", {"v": "1"}))
        async with following(again, client, clock.hurried) as found:
            await until(lambda: clock.seconds > 600)
            assert not found.informer.synced.is_set()
            await again.start(port)
            await until(found.equals_the_api)
            assert found.informer.synced.is_set()
            await again.stop()


async def test_row_26_a_history_that_went_back_is_listed_again(follow: Following) -> None:
    follow.fake.patch("configmaps", "default", "a", {"data": {"v": "2"}})
    await until(lambda: ("a=1", "a=2") in follow.told)
    follow.fake.rewind(5)
    follow.fake.bookmark()

    await until(lambda: follow.lists() == 2)
    follow.fake.patch("configmaps", "default", "b", {"data": {"v": "after"}})
    await until(follow.equals_the_api)

    assert "HistoryRewound" in follow.meter.restarts


async def test_a_stream_of_nonsense_is_restarted(follow: Following) -> None:
    with follow.fake.fault(verb="watch", status=200, page=True, times=2):
        follow.fake.close_watches()
        await until(lambda: len(follow.meter.restarts) >= 2)
    follow.fake.add(config_map("c", {"v": "1"}))

    await until(follow.equals_the_api)

    assert set(follow.meter.restarts) == {"BadAnswer"}


async def test_the_loop_gets_its_turn_after_every_fifty_objects(
    fake: FakeKube, client: Client, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(500):
        fake.add(config_map(f"n{index}", {"v": "1"}))
    turns, decoded = [0], [0]

    async def count_turns() -> None:
        while True:
            turns.append(decoded[0])
            await asyncio.sleep(0)

    async with following(fake, client, clock.hurried) as found:
        monkeypatch.setattr(found.store, "_decode", lambda obj: (decoded.__setitem__(0, decoded[0] + 1), shown(obj))[1])
        ticking = asyncio.create_task(count_turns())
        await found.informer.synced.wait()
        ticking.cancel()

    assert decoded == [500]
    assert max(after - before for before, after in pairwise(turns)) <= 50
