"""One replica: a serving pod as its status shows it.

The one rule: nothing here is remembered; all of it can be read again from the API server and from the model server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Traffic = Literal["held", "serving"]


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why a pod does not get on: a word for machines and a sentence for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What the last real inferences on a replica showed; times are seconds since the epoch."""

    proven: bool = False
    """A real inference was answered by this container since it started."""
    dead: bool = False
    """Its process lives and its model does not answer: proven so more than once."""
    error: str = ""
    """The last answer, when it was an error."""
    load_error: str = ""
    """Why its server could not load a model, in the server's words."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A serving pod; times are seconds since the epoch."""

    name: str
    uid: str
    set_uid: str
    revision: str
    shape: str
    created: float
    traffic: Traffic = "held"
    node: str = ""
    ip: str = ""
    bound: bool = False
    bound_at: float | None = None
    ready: bool = False
    ready_at: float | None = None
    unready_at: float | None = None
    """When it stopped being ready, or began to start."""
    terminating: bool = False
    finished: bool = False
    """It ended by itself: Succeeded, Failed or Evicted."""
    restarts: int = 0
    blocker: Blocker | None = None
    gpu_failed: str = ""
    """Name of a GPU that the kubelet calls unhealthy."""
    deletion_cost: int | None = None
    leaving: bool = False
    """Its node is cordoned or goes away, or its GPU has failed: it serves until a replacement does."""
    proof: Proof = Proof()
    in_flight: int = 0
    """Requests that wait or run in it, as its server last said."""

    @property
    def alive(self) -> bool:
        """It is neither going nor gone."""
        return not self.terminating and not self.finished

    @property
    def serves(self) -> bool:
        """The Service sends requests to it."""
        return self.alive and self.ready and self.traffic == "serving"
