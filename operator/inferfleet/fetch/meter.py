"""How far a download is, and how fast it has been in the last minute.

The one rule: it counts what it is told, from any thread, and reads no clock but the one that it was given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

from inferfleet.fleet.weights import Progress

WINDOW_SECONDS = 60.0
STEP_SECONDS = 1.0


class Meter:
    """Counts of one run."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start at nothing."""
        self._clock = clock
        self._lock = Lock()
        self._marks: deque[tuple[float, int]] = deque([(clock(), 0)])
        self.downloaded = 0
        """Bytes that came over the network."""
        self._done = 0
        self._total = 0
        self._files_done = 0
        self._files_total = 0

    @property
    def missing(self) -> int:
        """Bytes that are still to come."""
        return max(0, self._total - self._done)

    def expect(self, files: int, total: int) -> None:
        """Begin a source of so many files and bytes."""
        self._files_total, self._total = files, total
        self._files_done = self._done = 0

    def show(self, done: int) -> None:
        """Show what another download has done so far."""
        self._done = done

    def received(self, count: int) -> None:
        """Count bytes that came over the network and are written."""
        self.kept(count)
        self.downloaded += count
        now = self._clock()
        if now - self._marks[-1][0] >= STEP_SECONDS:
            self._marks.append((now, self.downloaded))
            self._forget(now)

    def kept(self, count: int) -> None:
        """Count bytes that were there already and are proven or read again; negative ones are thrown away."""
        with self._lock:
            self._done += count

    def file_done(self) -> None:
        """Count a file that is whole."""
        self._files_done += 1

    def all_done(self) -> None:
        """Say that everything is there."""
        self._done, self._files_done = self._total, self._files_total

    def progress(self) -> Progress:
        """Say how far it is."""
        now = self._clock()
        self._forget(now)
        since, before = self._marks[0]
        elapsed = min(max(now - since, STEP_SECONDS), WINDOW_SECONDS)
        return Progress(
            bytes_done=max(0, self._done),
            bytes_total=self._total,
            files_done=self._files_done,
            files_total=self._files_total,
            bytes_per_second=int((self.downloaded - before) / elapsed),
        )

    def _forget(self, now: float) -> None:
        while len(self._marks) > 1 and self._marks[1][0] <= now - WINDOW_SECONDS:
            self._marks.popleft()
