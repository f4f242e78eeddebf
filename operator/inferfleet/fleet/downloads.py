"""The download of one revision's weights, as its Job and pod show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inferfleet.fleet.weights import Outcome, Progress, Repository

DownloadState = Literal["Waiting", "Running", "Succeeded", "Failed"]


@dataclass(frozen=True, slots=True)
class Download:
    """A download Job and what is known of it; times are seconds since the epoch."""

    name: str
    uid: str
    revision: str
    state: DownloadState
    created: float
    ended: float | None = None
    secret: str = ""
    """Name of the Secret that the Job was made with."""
    attempt: int = 0
    pod: str = ""
    pod_uid: str = ""
    ip: str = ""
    blocked: tuple[str, str] | None = None
    """Reason and message why its pod cannot start: an image, a volume, a quota, a node."""
    outdated: bool = False
    """It cannot start, and the chart's values have changed since it was made."""
    outcome: Outcome | None = None
    progress: Progress | None = None
    repository: Repository | None = None
    terminating: bool = False
