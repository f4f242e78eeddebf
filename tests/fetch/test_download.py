"""From a hub to a disk: what arrives, what is resumed, what is never served."""

from __future__ import annotations

import asyncio
import json
import os
import random
import stat
from pathlib import Path

import pytest

from e2e.rig.hub.levers import Kind
from e2e.rig.hub.store import Repository
from inferfleet.fetch.layout import MARKER, PARTIAL
from support.hub import CONFIG, Fetcher, RunningHub, resolved

MIB = 1 << 20
LARGE = random.Random(1).randbytes(3 * MIB + 12_345)
FILES = {"echo/config.pbtxt": CONFIG, "echo/1/model.py": b"x = 1\n", "echo/1/weights.bin": LARGE, "README.md": b"hi\n"}


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != MARKER
    }


def test_every_file_arrives_and_the_marker_says_what_was_found(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    outcome = fetch(at)

    total = sum(len(body) for body in FILES.values())
    assert (outcome.ok, outcome.commit, outcome.bytes_downloaded) == (True, at.commit, total)
    assert contents(fetch.place(at)) == FILES
    found = json.loads((fetch.place(at) / MARKER).read_text())["repository"]
    assert (found["shape"], found["total_bytes"], found["files"]) == ("triton", total, 4)
    assert found["licence"] == "apache-2.0"
    assert found["models"] == [
        {
            "name": "echo",
            "versions": [1],
            "files": ["model.py", "weights.bin"],
            "config": CONFIG.decode(),
            "probe": None,
        }
    ]


def test_what_arrives_can_be_read_by_any_user(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    before = os.umask(0o077)
    try:
        assert fetch(at).ok
    finally:
        os.umask(before)

    place = fetch.place(at)
    directories = [place.parent, place, place / "echo", place / "echo" / "1"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in directories} == {0o755}
    files = [path for path in place.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}


def test_a_second_run_asks_for_no_file(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    fetch(at)
    hub.control.clear_log()

    outcome = fetch(at)

    assert (outcome.ok, outcome.commit, outcome.bytes_downloaded) == (True, at.commit, 0)
    assert [entry["url"] for entry in hub.asked(at)] == [f"/api/models/{at.name}/revision/main"]


def test_a_commit_with_its_marker_needs_no_hub(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    fetch(at)

    outcome = fetch(at, revision=at.commit, endpoint="http://127.0.0.1:1")

    assert (outcome.ok, outcome.commit) == (True, at.commit)


def test_a_branch_that_moved_is_a_new_directory(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    fetch(at)
    (hub.scratch / "next").mkdir()
    (hub.scratch / "next" / "other.txt").write_text("other")
    commit = hub.control.publish(Repository(at.name), hub.scratch / "next")

    assert fetch(at).commit == commit != at.commit
    assert contents(fetch.place(at)) == FILES


def test_a_folder_is_fetched_alone_and_is_the_root(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish({f"served/here/{path}": body for path, body in FILES.items()} | {"other.bin": LARGE})

    outcome = fetch(f"{at.source}/served/here")

    assert outcome.ok
    assert contents(fetch.place(at, "served/here")) == FILES
    assert {entry["path"] for entry in hub.asked(at)} == {"", *(f"served/here/{path}" for path in FILES)}


def test_a_cut_connection_goes_on_where_it_stopped(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    with hub.pull(Kind.CUT_AFTER, at, value=MIB, path="*.bin"):
        outcome = fetch(at)

    assert outcome.ok
    assert contents(fetch.place(at)) == FILES
    starts = [entry["start"] for entry in hub.asked(at) if entry["path"].endswith(".bin") and entry["cdn"]]
    assert starts == [0, MIB, 2 * MIB, 3 * MIB]
    assert hub.sent(at) == sum(len(body) for body in FILES.values()) == outcome.bytes_downloaded


def test_progress_resets_the_count_of_attempts(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    with hub.pull(Kind.CUT_AFTER, at, value=MIB // 8, path="*.bin"):
        outcome = fetch(at)

    assert outcome.ok
    cuts = [entry for entry in hub.asked(at) if entry["cdn"]]
    assert len(cuts) > fetch.options.persistence.attempts
    assert set(fetch.pauses) == {0.75}  # the first pause each time: one second, spread


def test_bytes_of_a_failed_run_are_kept_for_the_next(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    with hub.pull(Kind.CUT, at, value=2 * MIB, path="*.bin"):
        lost = fetch(at)
    place = fetch.place(at)
    assert lost.reason == "ConnectionLost"
    assert not (place / MARKER).exists()
    assert not (place / "echo/1/weights.bin").exists()
    assert 2 * MIB in [path.stat().st_size for path in (place / PARTIAL).iterdir()]  # and small ones, if any began

    outcome = fetch(at)

    assert outcome.ok
    assert outcome.bytes_downloaded < len(LARGE) - 2 * MIB + 100
    assert contents(place) == FILES
    assert not (place / PARTIAL).exists()


def test_a_finished_file_without_the_marker_is_proven_again(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    fetch(at)
    place = fetch.place(at)
    (place / MARKER).unlink()
    (place / "echo/1/model.py").write_bytes(b"x = 2\n")
    hub.control.clear_log()

    outcome = fetch(at)

    assert outcome.ok
    assert outcome.bytes_downloaded == len(b"x = 1\n")
    assert contents(place) == FILES


@pytest.mark.parametrize("left", [b"wrong" * 1000, b"x" * (len(LARGE) + 1)], ids=["damaged", "too long"])
def test_a_partial_file_that_is_wrong_is_begun_anew(hub: RunningHub, fetch: Fetcher, left: bytes) -> None:
    at = hub.publish(FILES)
    with hub.pull(Kind.CUT, at, value=2 * MIB, path="*.bin"):
        fetch(at)
    place = fetch.place(at)
    partial = next((place / PARTIAL).iterdir())
    partial.write_bytes(left)

    outcome = fetch(at)

    assert outcome.ok
    assert contents(place) == FILES


def test_a_link_in_the_cache_is_not_followed(hub: RunningHub, fetch: Fetcher, tmp_path: Path) -> None:
    at = hub.publish(FILES)
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "1").mkdir()
    place = fetch.place(at)
    place.mkdir(parents=True)
    (place / "echo").symlink_to(victim)

    outcome = fetch(at)

    assert outcome.reason == "CacheUnwritable"
    assert list(victim.rglob("*")) == [victim / "1"]


def test_a_link_in_place_of_a_file_is_replaced(hub: RunningHub, fetch: Fetcher, tmp_path: Path) -> None:
    at = hub.publish(FILES)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    place = fetch.place(at)
    place.mkdir(parents=True)
    (place / "README.md").symlink_to(victim)

    outcome = fetch(at)

    assert outcome.ok
    assert not (place / "README.md").is_symlink()
    assert victim.read_bytes() == b"precious"


def test_a_marker_of_another_source_or_without_sense_counts_as_none(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    fetch(at)
    marker = fetch.place(at) / MARKER
    good = marker.read_bytes()
    for bad in (b"", b"{", good.replace(at.source.encode(), b"hf://org/other")):
        marker.write_bytes(bad)
        hub.control.clear_log()

        assert fetch(at).ok

        assert len(hub.asked(at)) == 1  # every byte is there: the listing is enough
        assert marker.read_bytes() == good


def test_resolving_alone_writes_nothing_and_brings_the_small_files(
    hub: RunningHub, fetch: Fetcher, tmp_path: Path
) -> None:
    at = hub.publish(FILES | {"echo/inferfleet-probe.json": b'{"inputs": []}'})

    found = asyncio.run(resolved(fetch.options, at.source))

    assert (found.commit, found.shape, found.total_bytes) == (
        at.commit, "triton", sum(len(body) for body in FILES.values()) + 14,
    )  # fmt: skip
    assert [(model.config, model.probe) for model in found.models] == [(CONFIG.decode(), '{"inputs": []}')]
    assert list(fetch.options.cache.iterdir()) == []
    assert hub.sent(at) == len(CONFIG) + 14
