"""Reading the API server's audit log: what a service account asked for, and what it was told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from e2e.rig.api import Json
from e2e.rig.control_plane import AUDIT_LOG


def mark(log: Path = AUDIT_LOG) -> int:
    """Return a place in the log; `events` can begin there."""
    return log.stat().st_size


def events(account: str, *, since: int = 0, log: Path = AUDIT_LOG) -> Iterator[Json]:
    """Yield the finished requests of a service account (`namespace:name`), oldest first."""
    user = f"system:serviceaccount:{account}"
    with log.open("rb") as file:
        file.seek(since)
        for line in file:
            if not line.endswith(b"\n"):
                return  # still being written
            event: Json = json.loads(line)
            if event["user"].get("username") == user:
                yield event
