"""A cache that never goes back in time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.api.base import Json
from inferfleet.kube.store import Store

Pair = tuple[str | None, str | None]


def raw(name: str, version: int, value: str = "v", uid: str | None = None, **meta: object) -> Json:
    known = {"namespace": "ns", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": known | meta, "value": value}


def store(told: list[Pair], index_by: Callable[[str], str | None] | None = None) -> Store[str]:
    return Store(decode, lambda old, new: told.append((old, new)), index_by)


def decode(obj: Json) -> str | None:
    if obj["value"] == "poison":
        raise ValueError("a secret")
    return None if obj["value"] == "dull" else str(obj["value"])


@pytest.fixture
def told() -> list[Pair]:
    return []


def test_every_change_is_told_once(told: list[Pair]) -> None:
    cache = store(told)

    cache.learn(raw("a", 1, "one"))
    cache.learn(raw("a", 2, "two"))
    cache.learn(raw("a", 3, "two"))
    cache.forget(raw("a", 4, "two"))
    cache.forget(raw("a", 4, "two"))

    assert told == [(None, "one"), ("one", "two"), ("two", None)]
    assert len(cache) == 0


def test_nothing_older_replaces_anything_newer(told: list[Pair]) -> None:
    cache = store(told)
    cache.learn(raw("a", 10, "new"))

    cache.learn(raw("a", 9, "old"))
    cache.learn(raw("a", 10, "same"))

    assert cache.get("ns", "a") == "new"
    assert told == [(None, "new")]


def test_versions_are_numbers_and_not_text(told: list[Pair]) -> None:
    cache = store(told)
    cache.learn(raw("a", 9, "nine"))

    cache.learn(raw("a", 10, "ten"))

    assert cache.get("ns", "a") == "ten"


def test_row_32_a_new_uid_under_a_known_name_is_a_deletion_and_an_addition(told: list[Pair]) -> None:
    cache = store(told)
    cache.learn(raw("a", 1, "first", "uid-1"))

    cache.learn(raw("a", 5, "second", "uid-2"))
    cache.forget(raw("a", 4, "first", "uid-1"))
    cache.learn(raw("a", 3, "first again", "uid-1"))

    assert told == [(None, "first"), ("first", None), (None, "second")]
    assert cache.get("ns", "a") == "second"


def test_the_late_answer_of_a_write_does_not_bring_a_deleted_object_back(told: list[Pair]) -> None:
    cache = store(told)
    cache.learn(raw("a", 1))
    cache.forget(raw("a", 3))

    cache.learn(raw("a", 2, "late"))

    assert cache.get("ns", "a") is None


def test_an_object_that_left_the_selector_comes_back_at_a_later_version(told: list[Pair]) -> None:
    cache = store(told)
    cache.learn(raw("a", 1))
    cache.forget(raw("a", 3))

    cache.learn(raw("a", 4, "back"))

    assert cache.get("ns", "a") == "back"


def test_row_22_what_a_listing_does_not_show_is_gone_unless_it_was_learned_since(told: list[Pair]) -> None:
    cache = store(told)
    for name, version in (("kept", 1), ("ghost", 2), ("younger", 60)):
        cache.learn(raw(name, version, name))
    told.clear()

    cache.retain({"uid-kept"}, version=50)
    cache.learn(raw("ghost", 40, "late answer"))

    assert told == [("ghost", None)]
    assert sorted(cache) == ["kept", "younger"]


def test_a_listing_of_one_namespace_says_nothing_of_another(told: list[Pair]) -> None:
    cache = store(told)
    cache.learn(raw("a", 1, "here"))
    cache.learn({**raw("b", 2, "there"), "metadata": {**raw("b", 2)["metadata"], "namespace": "other"}})

    cache.retain(set(), version=50, namespace="ns")

    assert list(cache) == ["there"]


def test_after_a_restore_the_listing_wins_though_its_versions_are_lower(told: list[Pair]) -> None:
    cache = store(told)
    cache.learn(raw("a", 100, "before"))
    cache.learn(raw("b", 100, "never restored"))
    cache.forget(raw("c", 101))

    cache.learn(raw("a", 50, "restored"), rewound=True)
    cache.learn(raw("c", 51, "restored too"), rewound=True)
    cache.retain({"uid-a", "uid-c"}, version=2**63)
    cache.learn(raw("a", 52, "later"))
    cache.learn(raw("c", 53, "later too"))

    assert sorted(cache) == ["later", "later too"]


def test_an_object_that_becomes_dull_is_gone_and_one_that_is_dull_is_not_kept(told: list[Pair]) -> None:
    cache = store(told)
    cache.learn(raw("a", 1, "dull"))
    cache.learn(raw("b", 1, "bright"))

    cache.learn(raw("b", 2, "dull"))
    cache.learn(raw("b", 1, "bright"))

    assert told == [(None, "bright"), ("bright", None)]


def test_an_object_that_cannot_be_decoded_leaves_what_was_known_and_shows_nothing(
    told: list[Pair], caplog: pytest.LogCaptureFixture
) -> None:
    cache = store(told)
    cache.learn(raw("a", 1, "known"))

    cache.learn(raw("a", 2, "poison"))
    cache.learn(raw("b", 3, "poison"))
    cache.learn(raw("c", 4, "good"))

    assert sorted(cache) == ["good", "known"]
    assert "ns/a cannot be decoded (ValueError)" in caplog.text
    assert "a secret" not in caplog.text


def test_objects_are_found_by_the_callers_index(told: list[Pair]) -> None:
    cache = store(told, index_by=lambda value: value.partition("@")[2] or None)

    cache.learn(raw("b", 1, "b@node-1"))
    cache.learn(raw("a", 2, "a@node-1"))
    cache.learn(raw("c", 3, "c@node-2"))
    cache.learn(raw("b", 4, "b@node-2"))
    cache.learn(raw("a", 5, "a"))

    assert cache.indexed("node-1") == []
    assert cache.indexed("node-2") == ["b@node-2", "c@node-2"]


@given(
    steps=st.lists(st.tuples(st.sampled_from(["learn", "forget"]), st.integers(1, 3), st.integers(1, 30)), max_size=40)
)
def test_row_25_in_whatever_order_events_come_the_newest_is_what_stays(steps: list[tuple[str, int, int]]) -> None:
    cache = store([])

    for what, number, version in steps:
        (cache.learn if what == "learn" else cache.forget)(raw(f"n{number}", version, f"{version}"))

    for number in range(1, 4):
        mine = {(version, what) for what, which, version in steps if which == number}
        newest = max((version for version, _ in mine), default=0)
        expected = None if (newest, "forget") in mine or not mine else str(newest)
        assert cache.get("ns", f"n{number}") == expected
