"""How far downloads are, and what they found, as their pods tell it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from inferfleet.fleet.weights import Progress, Repository, RepositoryModel
from inferfleet.serving.progress import EVERY, ProgressReader
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
