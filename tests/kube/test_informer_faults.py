"""A cache that follows the API server through everything that goes wrong with it."""

from __future__ import annotations

import pytest

from inferfleet.api.base import Json
from inferfleet.kube.client import Client
from inferfleet.kube.informer import Watched
from inferfleet.kube.kinds import CONFIG_MAPS, Kind
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to, open_client, until
from support.fake_kube.following import Following, following
from support.fake_kube.manifests import config_map, thing_crd

THINGS = Kind("test.inferfleet.dev", "v1", "things", "Thing")


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
