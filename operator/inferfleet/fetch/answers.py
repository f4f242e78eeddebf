"""What a server's answer means: go on, try again, or a verdict.

The one rule: pure; only the hub itself may say 401, 403 or 404: from a storage host behind it they mean "ask again".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from inferfleet.errors import FetchError
from inferfleet.fetch import failures
from inferfleet.fetch.failures import Subject, Transient

LONGEST_WAIT = 300.0
TRY_AGAIN = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer; `said` is the hub's own sentence, already made fit to be shown."""

    status: int
    at_hub: bool = True
    code: str = ""
    said: str = ""
    retry_after: float | None = None


def trouble(answer: Answer, subject: Subject, path: str = "") -> FetchError | Transient | None:
    """Judge an answer; None when it brings what was asked for."""
    if 200 <= answer.status < 300:
        return None
    if answer.status in TRY_AGAIN or answer.status >= 500 or not answer.at_hub:
        return Transient("busy", _busy(answer), retry_after=answer.retry_after)
    verdict = _by_code(answer, subject, path) or _by_status(answer, subject, path)
    return verdict or Transient("busy", _busy(answer))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After: seconds, or a date counted from the answer's own Date; at most five minutes."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked[:9]), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait.total_seconds(), 0.0), LONGEST_WAIT)


def pause(tries: int, base: float, chance: float, asked: float | None) -> float:
    """Say how long to wait after so many failures in a row; `chance` (0 to 1) spreads waiters over half the time."""
    backoff = min(base * 2.0 ** min(tries - 1, 16), 60.0)
    return max(asked or 0.0, 0.0) + backoff * (0.5 + 0.5 * chance)


def _busy(answer: Answer) -> str:
    who = "it" if answer.at_hub else "the storage host behind it"
    asked = f", wants to be asked again after {answer.retry_after:.0f} s" if answer.retry_after else ""
    return f"{who} answered {answer.status}{asked}"


def _by_code(answer: Answer, subject: Subject, path: str) -> FetchError | None:
    known = answer.status == 403 or subject.token
    verdicts = {
        "RevisionNotFound": failures.no_revision(subject),
        "EntryNotFound": failures.no_file(subject, path),
        "GatedRepo": failures.licence(subject) if known else failures.unauthorized(subject, gated=True),
    }
    return verdicts.get(answer.code)


def _by_status(answer: Answer, subject: Subject, path: str) -> FetchError | None:
    if answer.status == 401:
        return failures.unauthorized(subject)
    if answer.status == 403:
        return failures.licence(subject) if subject.gated else failures.forbidden(subject, answer.said)
    if answer.status in {404, 410}:
        return failures.no_file(subject, path) if path else failures.no_source(subject)
    return None
