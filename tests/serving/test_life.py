"""Whether a model lives: what counters and inferences may and may not conclude."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.fleet.replicas import Proof
from inferfleet.serving.life import HEARTBEAT, RECHECK, RETRY, Life, after_counts, after_inference, must_ask
from inferfleet.serving.metrics import Counts
from inferfleet.serving.triton import Inference

QUIET = Counts(succeeded=5)
ANSWERED = Inference("answered")
REFUSED = Inference("refused", "INTERNAL: Stub process 'm' is not healthy.")
SILENT = Inference("silent", "no answer in 30 s")
ALIVE = Life(Proof(proven=True), QUIET)


def test_a_new_container_has_proven_nothing_and_is_asked() -> None:
    assert Life().proof == Proof()
    assert must_ask(Life(), QUIET)
    assert Life().wait == RETRY


def test_an_answer_proves_it() -> None:
    life = after_inference(Life(), ANSWERED, Counts(succeeded=4), QUIET)

    assert life == ALIVE
    assert life.wait == HEARTBEAT


def test_our_own_question_that_is_counted_late_is_no_traffic() -> None:
    life = after_inference(ALIVE, ANSWERED, Counts(succeeded=5), Counts(succeeded=5))

    assert must_ask(life, Counts(succeeded=6))
    assert not must_ask(life, Counts(succeeded=7))


def test_an_error_before_any_proof_is_told_and_tried_again_soon() -> None:
    life = after_inference(after_inference(Life(), REFUSED, QUIET, QUIET), REFUSED, QUIET, QUIET)

    assert life.proof == Proof(proven=False, dead=False, error=REFUSED.message)
    assert life.wait == RETRY


def test_requests_answered_since_the_last_look_are_proof_enough() -> None:
    assert not must_ask(ALIVE, Counts(succeeded=6))
    assert not must_ask(ALIVE, Counts(succeeded=6, broken=3))


@pytest.mark.parametrize(
    "now",
    [QUIET, Counts(succeeded=5, broken=1), Counts(succeeded=5, broken=1, pending=9), Counts(succeeded=0), None],
)
def test_numbers_that_show_no_work_done_have_it_asked(now: Counts | None) -> None:
    assert must_ask(ALIVE, now)


def test_a_busy_server_is_not_asked_on_top() -> None:
    assert not must_ask(ALIVE, Counts(succeeded=5, pending=3))
    assert not must_ask(ALIVE, Counts(succeeded=5, waiting=0, active=4))
    assert after_counts(ALIVE, Counts(succeeded=5, pending=3)).proof == Proof(proven=True)


def test_another_models_work_is_no_reason_not_to_ask_this_one() -> None:
    assert must_ask(ALIVE, replace(QUIET, pending_elsewhere=9, engine_elsewhere=9))


def test_a_suspected_one_is_asked_though_it_looks_busy() -> None:
    suspected = after_inference(ALIVE, REFUSED, QUIET, QUIET)

    assert must_ask(suspected, Counts(succeeded=5, pending=3))
    assert suspected.wait == RECHECK
    assert not suspected.proof.dead


def test_two_errors_in_a_row_are_death() -> None:
    once = after_inference(ALIVE, REFUSED, QUIET, QUIET)
    twice = after_inference(once, REFUSED, QUIET, QUIET)

    assert twice.proof == Proof(proven=True, dead=True, error=REFUSED.message)


WORKING = replace(QUIET, waiting=0, active=42, limit=42)
FULL = Inference("refused", "INTERNAL: too many requests")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (WORKING, WORKING),
        (WORKING, replace(WORKING, broken=9)),
        (replace(QUIET, waiting=1, active=0), replace(QUIET, waiting=0, active=1)),
        (replace(QUIET, engine_elsewhere=1), replace(QUIET, engine_elsewhere=1)),
        (QUIET, replace(QUIET, succeeded=6)),
        (None, None),
        (QUIET, None),
    ],
)
@pytest.mark.parametrize("decoupled", [False, True])
def test_errors_of_a_server_that_is_at_work_or_cannot_be_seen_are_no_death(
    before: Counts | None, after: Counts | None, decoupled: bool
) -> None:
    life = silences(*[(before, after)] * 20, found=replace(FULL, decoupled=decoupled))

    assert not life.proof.dead
    assert life.proof.error == FULL.message


def test_a_dead_model_under_load_is_found_though_requests_wait_for_it() -> None:
    first = (replace(QUIET, pending=3), replace(QUIET, pending=2, broken=4))
    second = (replace(QUIET, pending=1, broken=9), replace(QUIET, pending=3, broken=12))

    assert silences(first, second, found=REFUSED).proof.dead


@pytest.mark.parametrize("counts", [(QUIET, QUIET), (None, None), (WORKING, WORKING)])
def test_a_question_that_somebody_before_the_model_turned_away_is_told_and_concludes_nothing(
    counts: tuple[Counts | None, Counts | None],
) -> None:
    denied = Inference("unasked", "PERMISSION_DENIED: RBAC: access denied")

    life = silences(*[counts] * 20, found=denied)

    assert life.proof == Proof(proven=True, error=denied.message)
    assert after_inference(Life(), denied, *counts).proof == Proof(error=denied.message)


def test_an_answer_between_two_errors_ends_the_row() -> None:
    life = after_inference(ALIVE, REFUSED, QUIET, QUIET)
    life = after_inference(life, ANSWERED, QUIET, QUIET)
    life = after_inference(life, REFUSED, QUIET, QUIET)

    assert not life.proof.dead


def test_work_done_for_others_ends_a_suspicion() -> None:
    suspected = after_inference(ALIVE, REFUSED, QUIET, QUIET)

    assert after_counts(suspected, Counts(succeeded=6)) == Life(Proof(proven=True), Counts(succeeded=6))


def silences(*seen: tuple[Counts | None, Counts | None], found: Inference = SILENT) -> Life:
    life = ALIVE
    for before, after in seen:
        life = after_inference(life, found, before, after)
    return life


def test_three_silences_with_nothing_at_work_are_death() -> None:
    quiet = (QUIET, QUIET)

    assert not silences(quiet, quiet).proof.dead
    assert silences(quiet, quiet, quiet).proof.dead


def test_our_own_questions_in_the_queue_are_nobodys_work() -> None:
    """The first question was taken and hangs; the second and third wait behind it."""
    first = (QUIET, QUIET)
    second = (QUIET, replace(QUIET, pending=1))
    third = (replace(QUIET, pending=1), replace(QUIET, pending=2))

    assert silences(first, second, third).proof.dead


def test_our_own_questions_in_the_models_own_queue_are_nobodys_work() -> None:
    engine = [replace(QUIET, waiting=0, active=count) for count in range(4)]

    assert silences(*((engine[n], engine[n + 1]) for n in range(3)), found=replace(SILENT, decoupled=True)).proof.dead


@pytest.mark.parametrize(
    ("busy", "decoupled"),
    [
        (replace(QUIET, pending=1), False),
        (replace(QUIET, waiting=2, active=4), True),
        (replace(QUIET, waiting=1, active=1), True),
        (replace(QUIET, pending_elsewhere=1), False),
        (replace(QUIET, engine_elsewhere=2), True),
        (QUIET, True),
    ],
)
def test_a_busy_server_is_never_called_dead(busy: Counts, decoupled: bool) -> None:
    """One long request runs unseen and our question waits, or a decoupled model does not count for itself."""
    life = silences(*[(busy, busy)] * 20, found=replace(SILENT, decoupled=decoupled))

    assert not life.proof.dead
    assert life.proof.error == SILENT.message


def test_a_server_that_finishes_work_while_we_wait_is_alive() -> None:
    moves = [(Counts(succeeded=count), Counts(succeeded=count + 1)) for count in range(9)]

    assert not silences(*moves).proof.dead


def test_counts_that_cannot_be_read_conclude_nothing() -> None:
    quiet = (QUIET, QUIET)

    assert not silences(*[(None, None)] * 9).proof.dead
    assert not silences(quiet, quiet, (QUIET, None)).proof.dead
    assert silences(quiet, quiet, (QUIET, None), quiet).proof.dead


numbers = st.integers(0, 4)
counts = st.builds(
    Counts,
    succeeded=numbers,
    broken=numbers,
    pending=numbers,
    waiting=st.none() | numbers,
    active=st.none() | numbers,
)
UNASKED = Inference("unasked", "UNAUTHENTICATED: no")
events = st.tuples(st.sampled_from([ANSWERED, REFUSED, SILENT, UNASKED]), st.none() | counts, st.none() | counts)


@settings(max_examples=50, deadline=None)
@given(seen=st.lists(events, max_size=12))
def test_only_what_has_answered_once_can_be_dead_and_an_answer_always_revives(
    seen: list[tuple[Inference, Counts | None, Counts | None]],
) -> None:
    life = Life()
    for found, before, after in seen:
        was_proven = life.proof.proven
        life = after_inference(life, found, before, after)
        assert life.proof.proven == (was_proven or found.kind == "answered")
        assert life.proof.proven or not life.proof.dead
        assert not (found.kind == "answered" and (life.proof.dead or life.proof.error))


@settings(max_examples=50, deadline=None)
@given(seen=st.lists(counts, min_size=1, max_size=12), decoupled=st.booleans())
def test_whatever_is_seen_at_work_besides_ours_prevents_death_by_silence(seen: list[Counts], decoupled: bool) -> None:
    life = ALIVE
    for each in seen:
        working = replace(each, pending=4, waiting=4)
        life = after_inference(life, replace(SILENT, decoupled=decoupled), working, working)

    assert not life.proof.dead
