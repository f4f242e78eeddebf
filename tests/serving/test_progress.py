"""How far downloads are, and what they found, as their pods tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from inferfleet.fleet.weights import Progress, Repository, RepositoryModel
from inferfleet.serving.progress import EVERY, MOST_HELD, Place, ProgressReader, weight
from serving.fakes import HOST, Hand, Pages, http_port

POD = ("uid-1", HOST)
HALF = Progress(bytes_done=5, bytes_total=10, files_done=1, files_total=2, bytes_per_second=3)
FOUND = Repository(commit="c", shape="triton", total_bytes=10, models=(RepositoryModel(name="m", versions=(1,)),))


@dataclass
class Stage:
    """A reader, the pages of a download's pod, and the clock between them."""

    reader: ProgressReader
    pages: Pages
    hand: Hand
    woken: list[object]

    async def after(self, seconds: float = 0.0) -> None:
        self.hand.now += seconds
        self.reader.rounds.start_due()
        await self.reader.rounds.settle()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    pages, hand, woken = Pages(), Hand(), list[object]()
    async with http_port(pages) as port:
        reader = ProgressReader(hand, woken.append, port)
        yield Stage(reader, pages, hand, woken)
        await reader._reader.close()


async def test_progress_is_read_and_wakes_its_model_when_it_moves(stage: Stage) -> None:
    stage.pages.pages["/progress"] = HALF.model_dump_json().encode()
    stage.reader.watch("model", [POD])

    await stage.after()
    await stage.after(EVERY)

    assert stage.reader.progress("uid-1") == HALF
    assert stage.woken == ["model"]


async def test_the_result_is_read_once_and_the_pod_is_left_alone(stage: Stage) -> None:
    stage.pages.pages["/result"] = FOUND.model_dump_json().encode()
    stage.reader.watch("model", [POD])

    await stage.after()
    await stage.after(100 * EVERY)

    assert stage.reader.repository("uid-1") == FOUND
    assert stage.pages.asked == ["/result"]
    assert stage.woken == ["model"]


async def test_a_large_result_is_read_whole(stage: Stage) -> None:
    models = tuple(RepositoryModel(name=f"m{index}", config="x" * 60_000) for index in range(64))
    found = FOUND.model_copy(update={"models": models})
    stage.pages.pages["/result"] = found.model_dump_json().encode()
    stage.reader.watch("model", [POD])

    await stage.after()

    assert stage.reader.repository("uid-1") == found


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"commit": "c", "shape": "other"}',
        b'{"commit": 1, "shape": "triton"}',
        b"[" * 9999,
    ],
)
async def test_a_page_that_is_no_result_is_not_believed(stage: Stage, page: bytes) -> None:
    stage.pages.pages |= {"/result": page, "/progress": page}
    stage.reader.watch("model", [POD])

    await stage.after()

    assert stage.reader.repository("uid-1") is None


async def test_a_progress_beyond_its_bound_is_not_believed(stage: Stage) -> None:
    stage.pages.pages["/progress"] = HALF.model_dump_json().encode() + b" " * 5000
    stage.reader.watch("model", [POD])

    await stage.after()

    assert stage.reader.progress("uid-1") is None


async def test_a_pod_without_an_address_is_asked_when_it_has_one(stage: Stage) -> None:
    stage.pages.pages["/progress"] = HALF.model_dump_json().encode()
    stage.reader.watch("model", [("uid-1", "")])
    await stage.after()
    assert stage.pages.asked == []

    stage.reader.watch("model", [POD])
    await stage.after()

    assert stage.reader.progress("uid-1") == HALF


async def test_what_was_found_outlives_the_pods_address_and_not_the_pod(stage: Stage) -> None:
    stage.pages.pages["/result"] = FOUND.model_dump_json().encode()
    stage.reader.watch("model", [POD])
    await stage.after()

    stage.reader.watch("model", [("uid-1", "")])
    assert stage.reader.repository("uid-1") == FOUND
    stage.reader.watch("model", [])
    assert stage.reader.repository("uid-1") is None


FEW = RepositoryModel(name="m", config="x" * 60_000)


def heavy(commit: str, share: float) -> Repository:
    """Make a result that takes a share of what all results together may take."""
    models = tuple(FEW.model_copy(update={"name": f"m{number}"}) for number in range(8))
    found = Repository(commit=commit, shape="triton", models=models)
    return found.model_copy(update={"models": models * int(share * MOST_HELD / weight(found))})


def keep(reader: ProgressReader, uid: str, found: Repository) -> None:
    reader.watch(uid, [(uid, HOST)])
    reader._keep(Place(uid, HOST), found)


async def test_results_together_have_a_bound_and_what_was_not_asked_for_longest_goes(stage: Stage) -> None:
    for uid in ("a", "b", "c"):
        keep(stage.reader, uid, heavy(uid, 0.3))
    assert stage.reader.repository("a") is not None

    keep(stage.reader, "d", heavy("d", 0.3))

    assert [uid for uid in "abcd" if uid in stage.reader._found] == ["a", "c", "d"]
    assert stage.reader._held == sum(map(weight, stage.reader._found.values())) <= MOST_HELD


async def test_what_was_dropped_is_read_again_when_it_is_asked_for(stage: Stage) -> None:
    stage.pages.pages["/result"] = FOUND.model_dump_json().encode()
    stage.reader.watch("model", [POD])
    await stage.after()
    for uid in ("b", "c", "d"):
        keep(stage.reader, uid, heavy(uid, 0.34))
    assert stage.reader.repository("uid-1") is None
    stage.pages.asked.clear()

    await stage.after()

    assert "/result" in stage.pages.asked
    assert stage.reader.repository("uid-1") == FOUND
    assert stage.woken.count("model") == 2


async def test_a_result_heavier_than_all_may_be_is_not_kept_and_costs_the_others_nothing(stage: Stage) -> None:
    keep(stage.reader, "a", heavy("a", 0.3))

    keep(stage.reader, "b", heavy("b", 1.1))

    assert list(stage.reader._found) == ["a"]


async def test_what_pods_that_are_gone_showed_counts_no_more(stage: Stage) -> None:
    keep(stage.reader, "a", heavy("a", 0.3))

    stage.reader.watch("a", [])

    assert stage.reader._held == 0


def test_a_result_weighs_what_its_text_takes_and_not_what_it_took_on_the_way() -> None:
    plain = Repository(commit="c", shape="triton", models=(FEW,))
    wide = plain.model_copy(update={"models": (FEW.model_copy(update={"config": "x" * 59_999 + "\U0001f600"}),)})

    assert weight(wide) > 3 * weight(plain)


async def test_of_large_results_there_is_one_in_memory_at_a_time(stage: Stage) -> None:
    large = heavy("c", 0.1).model_dump_json().encode()
    most, now = 0, 0

    class Counted(asyncio.Semaphore):
        async def __aenter__(self) -> None:
            nonlocal most, now
            await super().__aenter__()
            now += 1
            most = max(most, now)

        async def __aexit__(self, *error: object) -> None:
            nonlocal now
            now -= 1
            self.release()

    stage.reader._large = Counted(1)
    stage.pages.pages["/result"] = large
    for number in range(4):
        stage.reader.watch(f"model-{number}", [(f"uid-{number}", HOST)])

    await stage.after()

    assert most == 1
    assert [stage.reader.repository(f"uid-{number}") is not None for number in range(4)] == [True] * 4
