"""Ends the process when an event loop is blocked: a leader that cannot renew its Lease must not go on.

The one rule: it runs in a thread of its own and ends the process at once, without asking the loop that hangs.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

LONGEST_LAG = 5.0
LIVE_LAG = 10.0
TICK = 0.5


class Watchdog:
    """Watches how late the loops are."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._seen: dict[str, float] = {}
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    @property
    def lag(self) -> float:
        """Seconds since the slowest loop was last seen alive."""
        return max((time.monotonic() - seen for seen in self._seen.values()), default=0.0)

    async def beat(self, name: str) -> None:
        """Show that a loop lives, for ever."""
        try:
            while True:
                self._seen[name] = time.monotonic()
                await asyncio.sleep(TICK)
        finally:
            self._seen.pop(name, None)

    def look(self) -> None:
        """End the process if a loop is blocked."""
        for name, seen in list(self._seen.items()):
            lag = time.monotonic() - seen
            if lag > LONGEST_LAG:
                sys.stderr.write(f'{{"level": "error", "message": "loop {name} blocked for {lag:.1f} s"}}\n')
                os._exit(1)

    def _watch(self) -> None:
        while True:
            time.sleep(TICK)
            self.look()
