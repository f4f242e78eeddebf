from __future__ import annotations

import threading
from pathlib import Path

import pytest

from e2e.rig import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_key_tells_where_one_part_ends_and_the_next_begins() -> None:
    assert cache.key("ab", "c") != cache.key("a", "bc")


def test_a_key_of_files_follows_name_content_mode_and_links(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    keys = {cache.files_key(tmp_path, [file])}

    file.write_text("two")
    keys.add(cache.files_key(tmp_path, [file]))
    file.chmod(0o755)
    keys.add(cache.files_key(tmp_path, [file]))
    other = file.rename(tmp_path / "other")
    keys.add(cache.files_key(tmp_path, [other]))
    file.symlink_to("other")
    keys.add(cache.files_key(tmp_path, [file]))

    assert len(keys) == 5


def test_a_key_of_files_does_not_depend_on_where_they_lie_or_in_which_order_they_come(tmp_path: Path) -> None:
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        for name in ("a", "b"):
            (tmp_path / place / name).write_text(name)

    here = cache.files_key(tmp_path / "here", [tmp_path / "here" / "a", tmp_path / "here" / "b"])
    there = cache.files_key(tmp_path / "there", [tmp_path / "there" / "b", tmp_path / "there" / "a"])

    assert here == there


def test_an_entry_is_built_once() -> None:
    built: list[Path] = []

    def build(out: Path) -> None:
        built.append(out)
        (out / "program").write_text("x")

    first = cache.ensure("bin", "thing", "k1", build)
    second = cache.ensure("bin", "thing", "k1", build)

    assert first == second
    assert (first / "program").read_text() == "x"
    assert len(built) == 1


def test_a_build_that_fails_leaves_no_entry_and_its_remains_do_not_get_into_the_next() -> None:
    def broken(out: Path) -> None:
        (out / "half").write_text("x")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        cache.ensure("bin", "thing", "k1", broken)
    assert cache.find("bin", "thing", "k1") is None

    entry = cache.ensure("bin", "thing", "k1", lambda out: (out / "whole").touch())

    assert [path.name for path in entry.iterdir()] == ["whole"]


def test_two_who_need_the_same_entry_build_it_once() -> None:
    started, go_on = threading.Event(), threading.Event()
    built: list[str] = []

    def slow(out: Path) -> None:
        built.append("slow")
        started.set()
        assert go_on.wait(10)
        (out / "by").write_text("slow")

    def fast(out: Path) -> None:
        built.append("fast")
        (out / "by").write_text("fast")

    found: list[Path] = []
    first = threading.Thread(target=lambda: found.append(cache.ensure("bin", "thing", "k1", slow)))
    first.start()
    assert started.wait(10)
    second = threading.Thread(target=lambda: found.append(cache.ensure("bin", "thing", "k1", fast)))
    second.start()
    go_on.set()
    first.join(10)
    second.join(10)

    assert built == ["slow"]
    assert [path.joinpath("by").read_text() for path in found] == ["slow", "slow"]


def test_the_entries_used_last_are_kept(tmp_path: Path) -> None:
    entries = [cache.ensure("images", "app", f"k{number}", lambda _: None) for number in range(9)]
    other = cache.ensure("images", "app-two", "k0", lambda _: None)

    assert [entry.exists() for entry in entries] == [False] * 3 + [True] * 6
    assert other.exists()


def test_the_remains_of_a_killed_build_are_cleared_by_the_next() -> None:
    remains = cache.root() / "bin" / ".thing-k0.part"
    remains.mkdir(parents=True)

    cache.ensure("bin", "thing", "k1", lambda _: None)

    assert not remains.exists()
