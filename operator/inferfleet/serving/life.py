"""Whether a replica's model lives: a state machine over what was seen, without clock and network.

The one rule: a busy server is never called dead, and silence counts only where nothing is seen at work but our own
questions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from inferfleet.fleet.replicas import Proof
from inferfleet.serving.metrics import Counts
from inferfleet.serving.triton import Inference

RETRY, RECHECK, HEARTBEAT = 5.0, 10.0, 30.0
"""Seconds until an unproven model, a suspect one and a proven one are looked at again."""
FIRST_SECONDS, LATER_SECONDS = 120.0, 30.0
"""How long a first answer may take, which may compile or warm up, and later ones."""
ERRORS_TO_DIE, SILENCES_TO_DIE = 2, 3


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of one container's model."""

    proof: Proof = field(default_factory=Proof)
    counts: Counts | None = None
    """The last counts, with our own questions in them."""
    errors: int = 0
    silences: int = 0

    @property
    def suspected(self) -> bool:
        """Tell whether it failed to answer the last time it was asked."""
        return bool(self.errors or self.silences)

    @property
    def wait(self) -> float:
        """Say in how many seconds it is looked at again."""
        if not self.proof.proven:
            return RETRY
        return RECHECK if self.suspected else HEARTBEAT

    @property
    def patience(self) -> float:
        """Say how many seconds an answer may take."""
        return LATER_SECONDS if self.proof.proven else FIRST_SECONDS


def must_ask(life: Life, now: Counts | None) -> bool:
    """Tell whether numbers do not show that a model works, so that it must be asked."""
    if not life.proof.proven or now is None or life.counts is None:
        return True
    if _answers(life, now):
        return False
    return life.suspected or now.broken > life.counts.broken or not now.is_busy


def after_counts(life: Life, now: Counts | None) -> Life:
    """Take in numbers alone: requests answered since the last look end every suspicion."""
    return Life(Proof(proven=True), now) if _answers(life, now) else replace(life, counts=now or life.counts)


def _answers(life: Life, now: Counts | None) -> bool:
    return now is not None and life.counts is not None and now.succeeded > life.counts.succeeded


def after_inference(life: Life, found: Inference, before: Counts | None, after: Counts | None) -> Life:
    """Take in what an inference showed, with the counts on both sides of it."""
    counts = after or before or life.counts
    if found.kind == "answered":
        return Life(Proof(proven=True), _with_ours(before, counts))
    if not life.proof.proven:
        # The rollout waits for it and says why; only what has once worked can be dead.
        return Life(Proof(error=found.message), counts)
    if found.kind == "unasked":
        return replace(life, proof=replace(life.proof, error=found.message), counts=counts)
    if found.kind == "refused":
        return _after_error(life, found, before, after)
    silences = _silences(life, found, before, after)
    dead = life.proof.dead if silences is None else silences >= SILENCES_TO_DIE
    return replace(
        life,
        proof=Proof(True, dead, found.message),
        counts=counts,
        silences=life.silences if silences is None else silences,
    )


def _with_ours(before: Counts | None, counts: Counts | None) -> Counts | None:
    """Count our own answered question where the server has not yet: it must not pass for traffic later."""
    if before is None or counts is None:
        return counts
    return replace(counts, succeeded=max(counts.succeeded, before.succeeded + 1))


def _after_error(life: Life, found: Inference, before: Counts | None, after: Counts | None) -> Life:
    """Count errors in a row, unless the model is at work for others, or it cannot be seen whether it is.

    What waits in Triton's queue is no sign of life: an error of the model shows that it takes requests out of it.
    """
    counts = after or before or life.counts
    errors = life.errors + 1
    if before is None or after is None:
        errors = life.errors
    elif after.succeeded > before.succeeded:
        errors = 0
    elif before.in_engines or after.in_engines:
        errors = life.errors
    dead = errors >= ERRORS_TO_DIE
    return Life(Proof(True, dead, found.message), counts, errors=errors)


def _silences(life: Life, found: Inference, before: Counts | None, after: Counts | None) -> int | None:
    """Count silences in a row; None when the counts cannot be read, which says nothing."""
    if before is None or after is None:
        return None
    moved = (after.succeeded, after.broken) != (before.succeeded, before.broken)
    return 0 if moved or not _is_idle(after, life.silences, found) else life.silences + 1


def _is_idle(now: Counts, unanswered: int, found: Inference) -> bool:
    """Tell whether nothing but our own unanswered questions can be at work.

    The first of them was taken out of the queue and hangs; those after it may wait behind it. A decoupled model that
    does not count for itself may be at work unseen.
    """
    if now.in_queues > unanswered:
        return False
    if now.in_engines is None:
        return not found.decoupled
    return now.in_engines <= unanswered + 1
