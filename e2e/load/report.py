"""What became of each request, and the sum.

Rule: pure; an answer counts as whole only with its finish reason and every token that was asked for, because a
stream that was cut short can still end with status 200.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fate(StrEnum):
    """How a request ended."""

    WHOLE = "whole"
    REFUSED = "refused"  # a clear no before the first part of an answer
    LOST = "lost"  # cut, short, silent, or wrong in the middle


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of an answer, as every protocol gives it."""

    text: str
    finish_reason: str = ""
    tokens: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request, from sending it to its end."""

    fate: Fate
    seconds: float
    first_token_seconds: float = 0.0
    tokens: int = 0
    version: str = ""
    why: str = ""


def judge(parts: Sequence[Part], asked: int, failure: str, times: tuple[float, float]) -> Outcome:
    """Decide the fate of a request by what arrived of it; `times` are those of the first part and of the end."""
    first, end = times
    last = parts[-1] if parts else Part("")
    if not parts:
        return Outcome(Fate.REFUSED if failure else Fate.LOST, end, why=failure or "an empty answer")
    if failure or not last.finish_reason:
        return Outcome(Fate.LOST, end, first, why=failure or "no finish reason", version=last.version)
    if last.tokens != asked:
        return Outcome(Fate.LOST, end, first, last.tokens, last.version, f"{last.tokens} of {asked} tokens")
    return Outcome(Fate.WHOLE, end, first, last.tokens, last.version)


def summary(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """Add everything up, ready to be printed as JSON."""
    fates = Counter(outcome.fate for outcome in outcomes)
    whole = [outcome for outcome in outcomes if outcome.fate is Fate.WHOLE]
    return {
        "sent": len(outcomes),
        **{fate.value: fates[fate] for fate in Fate},
        "tokens": sum(outcome.tokens for outcome in outcomes),
        "seconds": round(seconds, 3),
        "latency_seconds": _spread([outcome.seconds for outcome in whole]),
        "first_token_seconds": _spread([outcome.first_token_seconds for outcome in whole]),
        "versions": dict(Counter(outcome.version for outcome in whole)),
        "why": dict(Counter(outcome.why for outcome in outcomes if outcome.why)),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    points = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(at * len(ordered)))], 3) for name, at in points.items()}
