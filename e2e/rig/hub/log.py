"""The hub's request log: who asked for which bytes, and how many went out.

Rule: one entry per request, complete when the answer has ended; the oldest go first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass

LIMIT = 10_000


@dataclass(slots=True)
class Entry:
    """One request. `start` and `end` are the bytes promised, `sent` those that left; tokens are never kept."""

    method: str
    url: str
    peer: str
    authorized: bool
    agent: str
    repository: str = ""
    path: str = ""
    status: int = 0
    cdn: bool = False
    start: int = 0
    end: int = 0
    sent: int = 0


class Log:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=LIMIT)

    def add(self, entry: Entry) -> Entry:
        """Keep an entry, which its request goes on to fill in."""
        self._entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget everything so far."""
        self._entries.clear()

    def as_json(self) -> list[dict[str, object]]:
        """Show all entries."""
        return [asdict(entry) for entry in self._entries]
