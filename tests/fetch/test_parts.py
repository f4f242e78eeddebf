"""Meter, lock, disk, marker, outcome and board, each by itself."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.errors import FetchError
from inferfleet.fetch import crowd, disk, failures, lock, marker, outcome
from inferfleet.fetch.meter import Meter
from inferfleet.fetch.world import World
from inferfleet.fleet.weights import Outcome, Repository
from support.hub import quick


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_speed_is_the_mean_of_the_last_minute() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.expect(2, 100_000)
    for _ in range(30):
        clock.now += 1
        meter.received(100)
    assert meter.progress().bytes_per_second == 100

    clock.now += 30
    assert meter.progress().bytes_per_second == 50
    clock.now += 30
    assert meter.progress().bytes_per_second == 0

    clock.now += 600
    meter.received(6000)
    assert meter.progress().bytes_per_second == 100
    assert (meter.downloaded, meter.missing, meter.progress().bytes_done) == (9000, 91_000, 9000)


def test_bytes_that_were_there_count_as_done_and_not_as_downloaded() -> None:
    meter = Meter(lambda: 0.0)
    meter.expect(1, 100)
    meter.kept(60)
    meter.received(40)
    meter.kept(-100)
    meter.file_done()

    progress = meter.progress()

    assert (progress.bytes_done, progress.files_done, meter.downloaded) == (0, 1, 40)


async def test_a_lock_that_is_never_free_is_given_up(tmp_path: Path) -> None:
    clock, looks = Clock(), []

    async def sleep(seconds: float) -> None:
        clock.now += seconds

    world = World(clock, sleep, lambda: 0.0)
    async with lock.held(lock.open_lock(tmp_path / "x.lock"), quick(), 0.0, lambda: None):
        with pytest.raises(FetchError) as refused:
            async with lock.held(lock.open_lock(tmp_path / "x.lock"), world, 5.0, lambda: looks.append(clock.now)):
                pass

    assert refused.value.reason == "CacheLocked"
    assert len(looks) == 5
    async with lock.held(lock.open_lock(tmp_path / "x.lock"), world, 0.0, lambda: None):
        pass


async def test_a_volume_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)

    with pytest.raises(FetchError) as refused:
        async with lock.held(lock.open_lock(tmp_path / "x.lock"), quick(), 0.0, lambda: None):
            pass

    assert refused.value.reason == "CacheUnwritable"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES])
def test_only_want_of_space_is_a_full_disk(number: int) -> None:
    full = failures.disk_full(1, 0, 0)

    said = failures.from_disk(OSError(number, os.strerror(number)), "writing", full)

    assert said.reason == ("DiskFull" if number in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else "CacheUnwritable")


def test_files_are_never_opened_through_a_link_or_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    os.mkfifo(tmp_path / "pipe")

    for name in ("link", "pipe"):
        with pytest.raises(OSError):  # noqa: PT011 - which number it is depends on the kind
            disk.open_file(tmp_path / name)
    assert not (tmp_path / "victim").exists()


def test_a_limit_below_the_file_system_counts_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1 << 20))

    room = disk.measure(tmp_path, 4 << 20)

    assert room == disk.Volume(4 << 20, 3 << 20)
    assert disk.measure(tmp_path, 0).capacity > 4 << 20


def test_a_replaced_file_is_readable_by_all_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    disk.replace_file(tmp_path / "a", b"long content")
    disk.replace_file(tmp_path / "a", b"short")

    assert (tmp_path / "a").read_bytes() == b"short"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_marker_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    found = Repository(commit="c" * 40, shape="gguf", total_bytes=7, files=1, licence="mit", listing=("a.gguf",))

    marker.write(tmp_path / "m", "hf://a/b", found)

    assert marker.read(tmp_path / "m", "hf://a/b") == found
    assert marker.read(tmp_path / "m", "hf://a/c") is None
    assert marker.read(tmp_path / "none", "hf://a/b") is None


@given(st.text(max_size=3000), st.text(min_size=1, max_size=100))
def test_a_termination_message_fits_and_can_be_read(message: str, reason: str) -> None:
    failed = outcome.failed(FetchError(reason, message), ["", "secret"])

    encoded = outcome.encode(failed)

    assert len(encoded) <= 4096
    assert Outcome.model_validate_json(encoded).reason == reason[:64]


def test_a_termination_message_of_many_byte_letters_is_cut() -> None:
    failed = outcome.failed(FetchError("X", "\U0001f525" * 1024), [])

    assert 3000 < len(outcome.encode(failed)) <= 4096


def test_a_termination_message_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    outcome.write(tmp_path / "no such directory" / "message", Outcome(ok=True))

    assert list(tmp_path.iterdir()) == []


async def test_a_crowd_keeps_the_order_and_its_bound() -> None:
    running, most = 0, 0

    async def work(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (5 - item % 5))
        running -= 1
        return item * item

    assert await crowd.each(range(20), 3, work) == [item * item for item in range(20)]
    assert most == 3
    assert await crowd.each([], 3, work) == []


async def test_the_first_failure_ends_the_crowd_and_comes_out_as_itself() -> None:
    done = []

    async def work(item: int) -> None:
        if item == 1:
            raise FetchError("DiskFull", "x")
        await asyncio.sleep(0.05)
        done.append(item)

    with pytest.raises(FetchError):
        await crowd.each(range(100), 2, work)

    assert done == []
