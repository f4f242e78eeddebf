"""Waiting for what a cluster makes of a lever: poll, and say how long it took or what was seen instead."""

from __future__ import annotations

import time
from collections.abc import Callable

from e2e.rig.errors import ApiError

_POLL_S = 0.1


def eventually(what: str, seen: Callable[[], object], wanted: object = True, within_s: float = 30.0) -> float:
    """Poll until seen() equals wanted and return the seconds; an API server that is away counts as not yet."""
    began = time.monotonic()
    last: object = None
    while time.monotonic() - began < within_s:
        try:
            last = seen()
        except (OSError, ApiError, KeyError, IndexError) as error:
            last = repr(error)
        if last == wanted:
            return time.monotonic() - began
        time.sleep(_POLL_S)
    raise AssertionError(f"{what}: wanted {wanted!r} within {within_s:g} s, last saw {last!r}")


def always(what: str, seen: Callable[[], object], wanted: object = True, for_s: float = 2.0) -> None:
    """Poll for a while, and fail as soon as seen() is not wanted."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        if (now := seen()) != wanted:
            raise AssertionError(f"{what}: wanted {wanted!r} for {for_s:g} s, saw {now!r}")
        time.sleep(_POLL_S)
