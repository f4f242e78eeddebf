"""A cache that follows the API server through everything that the API server does."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from inferfleet.kube.client import Client, Scope
from inferfleet.kube.informer import Informer, Watched
from inferfleet.kube.kinds import CONFIG_MAPS
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to, open_client, until
from support.fake_kube.following import Following, following, running, shown
from support.fake_kube.manifests import config_map


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


async def test_informers_of_two_namespaces_fill_one_store(fake: FakeKube, client: Client, clock: ManualClock) -> None:
    for name in ("one", "two"):
        fake.add_namespace(name)
        fake.add(config_map(name, {"v": "1"}, name))
    async with following(fake, client, clock.hurried, Watched(CONFIG_MAPS, Scope("one"))) as found:
        other = Informer(client, Watched(CONFIG_MAPS, Scope("two")), found.store, clock.hurried, found.meter)
        async with running(other.run()):
            await asyncio.gather(found.informer.synced.wait(), other.synced.wait())
            await until(lambda: len(fake.watches) == 2)
            fake.compact()
            fake.delete("configmaps", "one", "one")
            with fake.fault(verb="watch", error_event=410, times=2):
                fake.close_watches()
                await until(lambda: found.lists() == 4)
            await until(found.equals_the_api)

    assert found.told[-1] == ("one=1", None)
    assert ("two=1", None) not in found.told
