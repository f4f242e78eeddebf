"""How a step ended: the container's termination message and its exit status.

The one rule: at most 4,096 bytes of JSON, and no secret in it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from inferfleet.errors import FetchError
from inferfleet.fetch import failures
from inferfleet.fetch.text import plain, redact
from inferfleet.fleet.weights import Outcome

OK = 0
MAY_PASS = 1
"""It failed, and may work later without anybody doing anything."""
MUST_ACT = 2
"""It failed, and will go on failing until somebody acts."""
STOPPED = 143
"""It was told to stop (SIGTERM)."""

STOPPED_EARLY = Outcome(
    ok=False, reason="Stopped", message="It was told to stop before it was done; what is there is kept."
)

MOST_BYTES = 4096
MESSAGE_CHARACTERS = 1024
log = logging.getLogger(__name__)


def failed(error: FetchError, secrets: Iterable[str], downloaded: int = 0) -> Outcome:
    """Say why it failed."""
    message = plain(redact(error.message, secrets), MESSAGE_CHARACTERS)
    return Outcome(ok=False, reason=error.reason[:64], message=message, bytes_downloaded=downloaded)


def exit_status(outcome: Outcome) -> int:
    """Choose the container's exit status."""
    if outcome.ok:
        return OK
    if outcome.reason == "Stopped":
        return STOPPED
    return MAY_PASS if failures.may_pass(outcome.reason) else MUST_ACT


def encode(outcome: Outcome) -> bytes:
    """Write it as JSON; a message of many-byte letters is cut until it fits."""
    while len(text := outcome.model_dump_json().encode()) > MOST_BYTES:
        outcome = outcome.model_copy(update={"message": outcome.message[: len(outcome.message) * 3 // 4]})
    return text


def write(path: Path, outcome: Outcome) -> None:
    """Leave it where the kubelet looks for it; that nobody can read it must not change how the step ended."""
    try:
        path.write_bytes(encode(outcome))
    except OSError as error:
        log.warning("the termination message cannot be written: %s", error.strerror)
