"""When something last moved on: read off the objects, so that the clock outlives the leader.

The one rule: only what cannot repeat by failing counts. A crash loop is no progress, and neither is a new attempt.
"""

from __future__ import annotations

from datetime import UTC, datetime

from inferfleet.api.base import Json
from inferfleet.engines.profile import start_up_seconds
from inferfleet.fleet.downloads import Download
from inferfleet.fleet.snapshot import Snapshot

DEADLINE = 1800
NOTE_BYTES_EVERY = 60.0
"""Seconds between two notes of downloaded bytes in status."""


def parse_time(text: str) -> float:
    """Read RFC 3339 text as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def format_time(seconds: float) -> str:
    """Write seconds since the epoch as RFC 3339 text, whole seconds."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def deadline_seconds(written: int | None, weights_bytes: int) -> int:
    """Take the deadline as written, or the larger of 1800 s and what a server may take to start from a slow disk."""
    return written or max(DEADLINE, start_up_seconds(weights_bytes))


def last_progress(snapshot: Snapshot, download: Json | None, now: float) -> float:
    """Find the latest moment at which something moved on, seconds since the epoch."""
    status = snapshot.subject.status
    if status.get("observedGeneration", -1) != snapshot.subject.generation:
        return now
    moments = [parse_time(text) for text in _noted(status, download)]
    moments += [
        record_time for record in snapshot.recorded for record_time in _record_times(record.proven, record.good)
    ]
    for replica in snapshot.replicas:
        moments += [moment for moment in (replica.created, replica.bound_at, replica.ready_at) if moment]
    moments += [job.ended for job in snapshot.downloads if job.ended and job.state == "Succeeded"]
    return min(now, max(moments, default=now))


def _noted(status: Json, download: Json | None) -> list[str]:
    noted = [status.get("rollout", {}).get("lastProgress"), (download or {}).get("observedAt")]
    return [text for text in noted if text]


def _record_times(*texts: str) -> list[float]:
    return [parse_time(text) for text in texts if text]


def download_status(noted: Json | None, running: Download | None, now: float) -> Json | None:
    """Note bytes and an estimate, at most once a minute; nothing while nothing is known."""
    progress = running.progress if running else None
    if progress is None or not progress.bytes_total:
        return None
    if noted and noted["bytesTotal"] == progress.bytes_total:
        unmoved = noted["bytesDone"] == progress.bytes_done
        if unmoved or now - parse_time(noted["observedAt"]) < NOTE_BYTES_EVERY:
            return noted
    left = progress.bytes_total - progress.bytes_done
    return {
        "bytesDone": progress.bytes_done,
        "bytesTotal": progress.bytes_total,
        "secondsLeft": -(-left // progress.bytes_per_second) if progress.bytes_per_second else 0,
        "observedAt": format_time(now),
    }
