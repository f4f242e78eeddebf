"""How one revision replaces another."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.plan.rollout import Line, RolloutFacts, next_step
from support.makers import replica
from support.miniature import Cluster

ROUNDS = 400


def old(count: int, *, serving: int | None = None) -> Line:
    """Make a line of the old revision."""
    ready = count if serving is None else serving
    return Line("old", "old", count, tuple(replica(f"old-{n}", ready=n < ready) for n in range(count)))


def new(count: int, *, counted: int | None = None, bound: bool = True) -> Line:
    """Make a line of the new revision."""
    good = count if counted is None else counted
    pods = tuple(replica(f"new-{n}", ready=n < good, bound=bound or n < good) for n in range(count))
    return Line("new", "new", count, pods)


def test_the_first_revision_starts_all_its_replicas_at_once() -> None:
    assert next_step(RolloutFacts(3, new(0))).sizes == {"new": 3}


def test_with_a_free_gpu_one_new_replica_starts_before_anything_is_taken_away() -> None:
    step = next_step(RolloutFacts(2, new(0), (old(2),), slots=1))

    assert (step.sizes, step.strategy) == ({"old": 2, "new": 1}, "Surge")


def test_an_old_replica_goes_when_the_new_one_answered() -> None:
    step = next_step(RolloutFacts(2, new(1), (old(2),), slots=0))

    assert step.sizes == {"old": 1, "new": 1}


def test_a_new_replica_that_has_not_answered_takes_nothing_away() -> None:
    step = next_step(RolloutFacts(2, new(1, counted=0), (old(2),), slots=1))

    assert step.sizes == {"old": 2, "new": 1}


def test_on_a_full_fleet_a_new_replica_waits_for_the_gpu_of_an_old_one() -> None:
    first = next_step(RolloutFacts(2, new(0), (old(2),), slots=0))
    second = next_step(RolloutFacts(2, new(1, counted=0, bound=False), (old(2),), slots=0))

    assert (first.sizes, first.strategy) == ({"old": 2, "new": 1}, "Replace")
    assert (second.sizes, second.strategy) == ({"old": 1, "new": 1}, "Replace")


def test_the_last_ready_replica_is_not_taken_without_consent() -> None:
    facts = RolloutFacts(1, new(0), (old(1),), slots=0)

    refused, allowed = next_step(facts), next_step(replace(facts, consent=True))

    assert (refused.sizes, refused.waits) == ({"old": 1, "new": 0}, "NeedsOutage")
    assert allowed.sizes == {"old": 1, "new": 1}


def test_a_paused_rollout_holds_every_size() -> None:
    step = next_step(RolloutFacts(3, new(1), (old(3),), slots=4, paused=True))

    assert (step.sizes, step.waits) == ({"old": 3, "new": 1}, "Paused")


def test_a_revision_that_serves_nothing_is_replaced_at_once() -> None:
    step = next_step(RolloutFacts(3, new(0), (old(3, serving=0),), slots=0))

    assert step.sizes == {"old": 0, "new": 3}


def test_a_revision_in_between_that_serves_nothing_goes_first() -> None:
    middle = Line("middle", "middle", 1, (replica("middle-0", ready=False),))

    step = next_step(RolloutFacts(2, new(0), (middle, old(2)), slots=1))

    assert step.sizes == {"middle": 0, "old": 2, "new": 0}


def test_without_a_target_the_revision_that_serves_keeps_the_wanted_count() -> None:
    broken = Line("broken", "broken", 1, (replica("broken-0", ready=False),))

    step = next_step(RolloutFacts(2, None, (broken, old(2))))

    assert step.sizes == {"broken": 0, "old": 2}


def test_free_gpus_that_cannot_be_counted_are_not_relied_upon() -> None:
    step = next_step(RolloutFacts(2, new(0), (old(2),), slots=8, replace_only=True))

    assert step.strategy == "Replace"


def test_a_replica_on_a_cordoned_node_is_replaced_before_it_goes() -> None:
    leaving = Line("new", "new", 1, (replica("new-0", leaving=True),))
    both = Line("new", "new", 2, (replica("new-0", leaving=True), replica("new-1")))
    loading = Line("new", "new", 2, (replica("new-0", leaving=True), replica("new-1", ready=False)))

    assert next_step(RolloutFacts(1, leaving, slots=1)).sizes == {"new": 2}
    assert next_step(RolloutFacts(1, loading)).sizes == {"new": 2}
    assert next_step(RolloutFacts(1, both)).sizes == {"new": 1}


def test_two_replicas_on_nodes_that_go_are_replaced_one_after_the_other() -> None:
    leaving = (replica("new-0", leaving=True), replica("new-1", leaving=True), replica("new-2"))
    with_one_more = Line("new", "new", 4, (*leaving, replica("new-3")))
    still_loading = Line("new", "new", 4, (*leaving, replica("new-3", ready=False)))

    assert next_step(RolloutFacts(3, Line("new", "new", 3, leaving), slots=1)).sizes == {"new": 4}
    assert next_step(RolloutFacts(3, still_loading)).sizes == {"new": 4}
    assert next_step(RolloutFacts(3, with_one_more)).sizes == {"new": 3}
    assert next_step(RolloutFacts(3, with_one_more)).evacuates


def test_an_allowed_outage_is_not_kept_by_a_replica_that_waits() -> None:
    leaving = replica("new-0", leaving=True)
    waiting = replica("new-1", ready=False, bound=False)
    alone = RolloutFacts(1, Line("new", "new", 1, (leaving,)), consent=True)
    both = replace(alone, target=Line("new", "new", 2, (leaving, waiting)))

    assert next_step(alone).sizes == {"new": 1}
    assert next_step(both).sizes == {"new": 1}
    assert next_step(replace(both, consent=False)).sizes == {"new": 2}
    assert next_step(replace(alone, slots=1)).sizes == {"new": 2}


def test_a_good_replica_that_may_serve_again_is_no_idle_one() -> None:
    shaken = replace(old(1, serving=0), proven=True, recovering=1)

    assert next_step(RolloutFacts(1, new(1, counted=0), (shaken,))).sizes == {"old": 1, "new": 1}
    assert next_step(RolloutFacts(1, None, (new(1, counted=0), shaken))).sizes == {"old": 1, "new": 0}
    assert next_step(RolloutFacts(1, new(1, counted=0), (shaken,), paused=True)).waits == "Paused"


def test_without_a_target_and_with_nothing_serving_the_proven_revision_is_kept() -> None:
    lost = replace(old(1, serving=0), proven=True)

    assert next_step(RolloutFacts(1, None, (new(1, counted=0), lost))).sizes == {"old": 1, "new": 0}


clusters = st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 10_000))


@settings(max_examples=150, deadline=None)
@given(clusters)
def test_every_rollout_ends_with_the_wanted_fleet_and_one_below_it_at_most(given: tuple[int, int, int]) -> None:
    wanted, spare, seed = given
    cluster = Cluster(wanted + spare, random.Random(seed))
    settle(cluster, wanted, "old")
    lowest = wanted

    for _ in range(ROUNDS):
        cluster.beat(wanted, "new", consent=wanted == 1)
        cluster.tick()
        lowest = min(lowest, cluster.serving())
        assert sum(cluster.sizes.values()) <= wanted + 1
        if cluster.is_at("new", wanted):
            break

    assert cluster.sizes == {"old": 0, "new": wanted}
    assert cluster.line("new").counted == wanted
    assert lowest >= wanted - (0 if spare else 1)


@settings(max_examples=100, deadline=None)
@given(clusters)
def test_a_dead_revision_never_takes_the_last_serving_replica(given: tuple[int, int, int]) -> None:
    wanted, spare, seed = given
    cluster = Cluster(wanted + spare, random.Random(seed), broken=frozenset({"new"}))
    settle(cluster, wanted, "old")

    for _ in range(60):
        cluster.beat(wanted, "new")
        cluster.tick()
        assert cluster.serving() >= max(1, wanted - 1)


@settings(max_examples=100, deadline=None)
@given(clusters, st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_edits_in_a_row_end_at_the_last_one(given: tuple[int, int, int], pauses: list[int]) -> None:
    wanted, spare, seed = given
    cluster = Cluster(wanted + spare, random.Random(seed))
    settle(cluster, wanted, "r0")

    for number, rounds in enumerate(pauses, 1):
        for _ in range(rounds):
            cluster.beat(wanted, f"r{number}", consent=True)
            cluster.tick()
    for _ in range(ROUNDS):
        cluster.beat(wanted, f"r{len(pauses)}", consent=True)
        cluster.tick()
        if cluster.is_at(f"r{len(pauses)}", wanted):
            break

    assert {name: size for name, size in cluster.sizes.items() if size} == {f"r{len(pauses)}": wanted}


@settings(max_examples=60, deadline=None)
@given(clusters)
def test_a_settled_fleet_is_left_alone(given: tuple[int, int, int]) -> None:
    wanted, spare, seed = given
    cluster = Cluster(wanted + spare, random.Random(seed))
    settle(cluster, wanted, "new")

    assert next_step(cluster.facts(wanted, "new")).sizes == {"new": wanted}


def settle(cluster: Cluster, wanted: int, name: str) -> None:
    """Start a first revision and let it load."""
    for _ in range(30):
        cluster.beat(wanted, name)
        cluster.tick()
        if cluster.is_at(name, wanted):
            break
    assert cluster.line(name).counted == wanted
