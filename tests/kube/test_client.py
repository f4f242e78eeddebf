"""Requests, and everything that goes wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from inferfleet.errors import KubeError
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.kinds import CONFIG_MAPS, PODS, REPLICA_SETS, Ref
from inferfleet.kube.transport import Limits
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import REAL_TIME, connection_to, open_client
from support.fake_kube.manifests import config_map, replica_set

IMPATIENT = Limits(read_seconds=0.2, write_seconds=0.05)


@pytest.fixture
async def impatient(fake: FakeKube) -> AsyncIterator[Client]:
    """Ask the fake and do not wait for long."""
    async with open_client(connection_to(fake.url), limits=IMPATIENT) as opened:
        yield opened


async def every_write(client: Client) -> list[KubeError]:
    ref = Ref(CONFIG_MAPS, "default", "one")
    writes = (
        client.apply(config_map("one", {})),
        client.create(config_map("one", {})),
        client.ensure(config_map("one", {})),
        client.replace(config_map("one", {})),
        client.merge_patch(ref, {"data": {}}),
        client.patch_status(Ref(REPLICA_SETS, "default", "one"), {"replicas": 1}),
        client.delete(ref, "uid"),
    )
    found = await asyncio.gather(*writes, return_exceptions=True)
    return [error for error in found if isinstance(error, KubeError)]


async def test_row_09_no_write_leaves_a_replica_that_may_not_write_and_reads_still_do(
    fake: FakeKube, clock: ManualClock
) -> None:
    async with open_client(connection_to(fake.url), clock.hurried, may_write=lambda: False) as client:
        errors = await every_write(client)
        assert await client.list(PODS) == []

    assert [error.reason for error in errors] == ["NotLeader"] * 7
    assert fake.writes() == []


async def test_row_09_the_right_to_write_is_asked_after_the_wait_for_a_turn(fake: FakeKube) -> None:
    clock, leads = ManualClock(), True
    limits = Limits(writes=(1, 1))
    async with open_client(connection_to(fake.url), clock.time, may_write=lambda: leads, limits=limits) as client:
        await client.apply(config_map("one", {}))
        waiting = asyncio.create_task(client.apply(config_map("two", {})))
        await clock.advance(0.5)
        leads = False
        await clock.advance(0.6)

        with pytest.raises(KubeError, match="NotLeader"):
            await waiting

    assert [entry.name for entry in fake.writes()] == ["one"]


async def test_row_09_the_right_to_write_is_asked_again_before_a_second_attempt(fake: FakeKube) -> None:
    clock, leads = ManualClock(), [True, False]
    async with open_client(connection_to(fake.url), clock.hurried, may_write=lambda: leads.pop(0)) as client:
        with fake.fault(status=429, retry_after=1), pytest.raises(KubeError, match="NotLeader"):
            await client.apply(config_map("one", {}))

    assert len(fake.log) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_row_13_a_server_error_is_told_and_not_repeated(fake: FakeKube, client: Client, status: int) -> None:
    with fake.fault(status=status) as fault:
        with pytest.raises(KubeError) as read:
            await client.get(PODS, "default", "one")
        with pytest.raises(KubeError) as written:
            await client.apply(config_map("one", {}))

    assert read.value.status == written.value.status == status
    assert fault.hits == 2


async def test_row_14_a_refused_connection_is_told_as_unreachable(clock: ManualClock) -> None:
    fake = FakeKube(clock)
    await fake.start()
    address = fake.url
    await fake.stop()

    async with open_client(connection_to(address), clock.hurried) as client:
        with pytest.raises(KubeError) as error:
            await client.list(PODS)

    assert (error.value.reason, error.value.status) == ("Unreachable", 0)


async def test_row_15_too_many_requests_wait_as_they_are_asked_to(
    fake: FakeKube, client: Client, clock: ManualClock
) -> None:
    with fake.fault(status=429, retry_after=7, times=2):
        await client.apply(config_map("one", {}))

    assert clock.slept == [7, 7]
    assert len(fake.writes()) == 3


async def test_row_15_one_refusal_keeps_every_other_request_back(fake: FakeKube) -> None:
    clock = ManualClock()
    async with open_client(connection_to(fake.url), clock.time) as client:
        with fake.fault(status=429, retry_after=5, times=1):
            first = asyncio.create_task(client.get(PODS, "default", "one"))
            async with asyncio.timeout(5):
                while not clock.slept:  # noqa: ASYNC110 - the answer crosses a socket
                    await asyncio.sleep(0.002)
        others = [asyncio.create_task(client.apply(config_map(f"n{index}", {}))) for index in range(20)]
        await clock.advance(4.9)
        kept_back = len(fake.log)
        await clock.advance(0.2)
        await asyncio.gather(first, *others)

    assert kept_back == 1
    assert len(fake.log) == 22


async def test_row_15_patience_ends_after_four_attempts(fake: FakeKube, client: Client) -> None:
    with fake.fault(status=429, retry_after=1) as fault, pytest.raises(KubeError) as error:
        await client.list(PODS)

    assert (error.value.status, error.value.reason) == (429, "TooManyRequests")
    assert fault.hits == 4


async def test_row_16_an_object_that_exists_already_is_read_instead(fake: FakeKube, client: Client) -> None:
    fake.add(config_map("one", {"a": "theirs"}))

    found = await client.ensure(config_map("one", {"a": "ours"}))

    assert found["data"] == {"a": "theirs"}


async def test_row_16_an_object_that_is_deleted_in_between_is_an_error_to_try_again(
    fake: FakeKube, client: Client
) -> None:
    with fake.fault(verb="create", status=409), pytest.raises(KubeError) as error:
        await client.ensure(config_map("one", {}))

    assert error.value.status == 409


async def test_row_19_a_write_that_hangs_is_given_up(fake: FakeKube, impatient: Client) -> None:
    with fake.fault(hang=True), pytest.raises(KubeError) as error:
        await impatient.apply(config_map("one", {}))

    assert (error.value.reason, error.value.message) == ("Timeout", "The API server did not answer within 0.05 s.")


async def test_row_19_a_read_that_hangs_is_given_up(fake: FakeKube, impatient: Client) -> None:
    with fake.fault(hang=True), pytest.raises(KubeError, match="did not answer within"):
        await impatient.list(PODS)


async def test_row_19_a_watch_that_is_not_answered_is_given_up(fake: FakeKube, impatient: Client) -> None:
    with fake.fault(hang=True), pytest.raises(KubeError, match="Timeout"):
        await anext(impatient.watch(PODS, Scope(), "1000", 240))


async def test_row_19_waiting_for_a_connection_counts_into_the_limit_of_a_write(fake: FakeKube) -> None:
    limits = Limits(read_seconds=30, write_seconds=0.05)
    async with open_client(connection_to(fake.url), limits=limits) as client:
        with fake.fault(verb="list", hang=True) as fault:
            reads = [asyncio.create_task(client.list(PODS)) for _ in range(32)]
            async with asyncio.timeout(5):
                while fault.hits < 32:  # noqa: ASYNC110 - the requests cross a socket
                    await asyncio.sleep(0.002)
            with pytest.raises(KubeError, match="Timeout"):
                await client.apply(config_map("one", {}))
            for read in reads:
                read.cancel()
            await asyncio.gather(*reads, return_exceptions=True)

    assert fake.writes() == []


def test_row_10_a_write_ends_before_a_rival_may_lead() -> None:
    """Renewed 10 s ago at most, and over 4 s later: a rival waits 15 s."""
    assert Limits().write_seconds <= 4


async def test_row_10_the_api_server_is_told_to_give_a_write_up_as_well(fake: FakeKube, impatient: Client) -> None:
    with fake.fault(latency=0.0) as fault:
        await impatient.apply(config_map("one", {}))
        await impatient.list(PODS)

    assert [asked.query.get("timeout") for asked in fault.struck] == ["0.05s", None]


@pytest.mark.parametrize("how", [{"reset": True}, {"cut": True}, {"reset": True, "landed": True}])
async def test_row_20_an_answer_that_breaks_off_is_told_as_unreachable(
    fake: FakeKube, client: Client, how: dict[str, bool]
) -> None:
    with fake.fault(verb="create", **how), pytest.raises(KubeError) as error:
        await client.create(config_map("one", {"a": "1"}))

    assert error.value.reason == "Unreachable"


async def test_row_02_a_write_whose_answer_was_lost_is_harmless_to_repeat(fake: FakeKube, client: Client) -> None:
    manifest = config_map("one", {"a": "1"})
    with fake.fault(verb="patch", reset=True, landed=True), pytest.raises(KubeError):
        await client.apply(manifest)
    landed = fake.get("configmaps", "default", "one")

    assert await client.apply(manifest) == landed


async def test_a_proxys_page_does_not_make_an_object_vanish(fake: FakeKube, client: Client) -> None:
    fake.add(config_map("one", {}))
    with fake.fault(status=404, page=True), pytest.raises(KubeError) as error:
        await client.get(CONFIG_MAPS, "default", "one")

    assert (error.value.status, error.value.reason) == (404, "Http404")


async def test_a_page_that_is_no_json_is_an_error(fake: FakeKube, client: Client) -> None:
    with fake.fault(status=200, page=True), pytest.raises(KubeError, match="BadAnswer"):
        await client.list(PODS)


async def test_a_redirect_is_not_followed(fake: FakeKube, client: Client) -> None:
    with fake.fault(status=307, page=True, times=1), pytest.raises(KubeError, match="BadAnswer"):
        await client.list(PODS)

    assert len(fake.log) == 1


async def test_pages_grow_until_they_are_as_large_as_the_loop_can_bear(fake: FakeKube, client: Client) -> None:
    for index in range(1200):
        fake.add(config_map(f"n{index:04}", {}))

    sizes = [len(page.items) async for page in client.pages(CONFIG_MAPS)]

    assert sizes == [50, 500, 500, 150]


async def test_pages_of_large_objects_are_small(fake: FakeKube, client: Client) -> None:
    for index in range(150):
        fake.add(config_map(f"n{index:04}", {"a": "x" * 20_000}))

    sizes = [len(page.items) async for page in client.pages(CONFIG_MAPS)]

    assert sizes == [50, *[12] * 8, 4]


async def test_reads_and_writes_have_rates_of_their_own(fake: FakeKube) -> None:
    clock = ManualClock()
    limits = Limits(reads=(100, 3), writes=(10, 2))
    async with open_client(connection_to(fake.url), clock.hurried, limits=limits) as client:
        for _ in range(5):
            await client.get(PODS, "default", "one")
        read_at = clock.seconds
        for index in range(3):
            await client.apply(config_map(f"n{index}", {}))

    assert read_at == pytest.approx(0.02)
    assert clock.seconds == pytest.approx(0.12)


async def test_row_47_what_breaks_on_the_way_shows_no_request(fake: FakeKube) -> None:
    async with open_client(connection_to(fake.url, "canary-token"), REAL_TIME, limits=IMPATIENT) as client:
        with fake.fault(reset=True), pytest.raises(KubeError) as reset:
            await client.create(replica_set("canary-name", 1))
        with fake.fault(hang=True), pytest.raises(KubeError) as hung:
            await client.create(replica_set("canary-name", 1))

    assert "canary" not in f"{reset.value} {hung.value}"
