"""What goes from a model's own claim when space is short, and what never does."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from inferfleet.fetch import eviction, lock
from inferfleet.fetch.layout import MARKER, Place
from support.hub import CONFIG, Fetcher, Published, RunningHub

MIB = 1 << 20
LIMIT = 10 * MIB


def weights(size: int) -> dict[str, bytes]:
    return {"echo/config.pbtxt": CONFIG, "echo/1/weights.bin": os.urandom(size)}


def name(fetch: Fetcher, at: Published) -> str:
    place = fetch.place(at)
    return f"{place.parent.name}/{place.name}"


@pytest.fixture(name="own")
def _own(fetch: Fetcher) -> Fetcher:
    """Fetch into a claim of the model's own that holds 10 MiB."""
    return replace(fetch, options=replace(fetch.options, evict=True, size_limit=LIMIT))


def test_the_oldest_unused_weights_go_and_no_more_than_are_needed(hub: RunningHub, own: Fetcher) -> None:
    first, second, third = (hub.publish(weights(4 * MIB)) for _ in range(3))
    for number, at in enumerate((second, first)):
        assert own(at).ok
        os.utime(own.place(at) / MARKER, (number, number))

    assert own(third).ok

    assert [(own.place(at) / MARKER).exists() for at in (first, second, third)] == [True, False, True]
    assert not own.place(second).exists()


def test_what_is_in_use_stays_and_the_full_disk_is_told(hub: RunningHub, own: Fetcher) -> None:
    first, second = hub.publish(weights(6 * MIB)), hub.publish(weights(6 * MIB))
    assert own(first).ok

    failed = own(second, in_use=(name(own, first),))
    after = own(second)

    assert failed.reason == "DiskFull"
    assert after.ok
    assert not own.place(first).exists()


def test_nothing_goes_while_there_is_room_or_on_a_claim_of_others(hub: RunningHub, own: Fetcher) -> None:
    first, second, third = (hub.publish(weights(4 * MIB)) for _ in range(3))

    outcomes = [own(first).ok, own(second).ok, own(third, evict=False).reason]

    assert outcomes == [True, True, "DiskFull"]
    assert all((own.place(at) / MARKER).exists() for at in (first, second))


@pytest.mark.parametrize("finished", [False, True], ids=["downloads", "finds"])
def test_what_a_model_without_a_claim_of_its_own_uses_is_pinned(
    hub: RunningHub, own: Fetcher, *, finished: bool
) -> None:
    guest, second = hub.publish(weights(6 * MIB)), hub.publish(weights(6 * MIB))
    if finished:
        assert own(guest).ok
    assert own(guest, evict=False, revision=guest.commit).ok

    assert own(second).reason == "DiskFull"
    assert (own.place(guest) / MARKER).exists()


def test_half_a_download_goes_too_but_not_while_it_is_written(hub: RunningHub, own: Fetcher) -> None:
    half, second = hub.publish(weights(6 * MIB)), hub.publish(weights(6 * MIB))
    assert own(half).ok
    (own.place(half) / MARKER).unlink()
    writer = lock.open_lock(Place(own.place(half).parent, half.commit).lock)
    assert lock.take(writer)
    try:
        assert own(second).reason == "DiskFull"
    finally:
        os.close(writer)

    assert own(second).ok
    assert not own.place(half).exists()


def test_only_directories_of_commits_are_looked_at(tmp_path: Path) -> None:
    source = tmp_path / ("a" * 16)
    for path in (source / "notes", source / ("b" * 40), tmp_path / "lost+found" / ("c" * 40)):
        path.mkdir(parents=True)
    (source / ("d" * 40)).write_text("a file")
    (source / ("e" * 40)).symlink_to(source / "notes")
    mine = Place(tmp_path / ("f" * 16), "f" * 40)
    mine.root.mkdir(parents=True)

    assert [old.commit for old in eviction.unused(mine, ())] == ["b" * 40]
