"""Ends the process when an event loop is blocked: a leader that cannot renew its Lease must not go on.

The one rule: it runs in a thread of its own and ends the process at once, without asking the loop that hangs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable

from inferfleet.telemetry.logs import JsonLines

LONGEST_LAG = 5.0
LIVE_LAG = 10.0
TICK = 0.5


class Watchdog:
    """Watches how late the loops are."""

    def __init__(self, lagged: Callable[[str, float], None] = lambda _loop, _seconds: None) -> None:
        """Watch nothing yet; `lagged` is told twice a second how late a loop was."""
        self._lagged = lagged
        self._seen: dict[str, float] = {}
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    @property
    def lag(self) -> float:
        """Seconds since the slowest loop was last seen alive."""
        return max((time.monotonic() - seen for seen in tuple(self._seen.values())), default=0.0)

    async def beat(self, name: str) -> None:
        """Show that a loop lives, for ever."""
        try:
            while True:
                due = self._seen[name] = time.monotonic()
                await asyncio.sleep(TICK)
                self._lagged(name, max(0.0, time.monotonic() - due - TICK))
        finally:
            self._seen.pop(name, None)

    def look(self) -> None:
        """End the process if a loop is blocked."""
        for name, seen in list(self._seen.items()):
            lag = time.monotonic() - seen
            if lag > LONGEST_LAG:
                sys.stderr.write(_line(f"loop {name} blocked for {lag:.1f} s"))
                os._exit(1)

    def _watch(self) -> None:
        while True:
            time.sleep(TICK)
            self.look()


def _line(message: str) -> str:
    """Write a log line past the loggers: the thread that hangs may hold one of their locks."""
    return JsonLines().format(logging.LogRecord(__name__, logging.ERROR, __file__, 0, message, None, None)) + "\n"
