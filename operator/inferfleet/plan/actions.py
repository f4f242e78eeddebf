"""A plan: every write of one beat, in the order in which they are done, and when to look again.

The one rule: each action names what it acts on by uid, so that doing it late or twice does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from inferfleet.api.base import Json
from inferfleet.fleet.replicas import Traffic
from inferfleet.plan.desired import Children, WantedDownload, WantedRecord


@dataclass(frozen=True, slots=True)
class Target:
    """One object by name and uid."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Annotate:
    """Annotations to set on a ControllerRevision."""

    target: Target
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """A traffic label to set on a pod."""

    target: Target
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Cost:
    """A deletion cost to set on a pod: the lowest goes first when its ReplicaSet shrinks."""

    target: Target
    cost: int


@dataclass(frozen=True, slots=True)
class DeletePod:
    """A pod to delete, and how many seconds it may take; None leaves it its own grace."""

    target: Target
    grace: int | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Announce:
    """An Event about the model."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Watched:
    """A pod whose model is probed: by address, model and the repository's own probe, if it has one.

    One that is not ready is asked only whether a model failed to load.
    """

    uid: str
    restarts: int
    ip: str
    model: str
    probe: str
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """All writes of one beat. `again` is seconds from now; None leaves it to the resync."""

    children: Children = field(default_factory=Children)
    start: WantedDownload | None = None
    record: WantedRecord | None = None
    annotate: tuple[Annotate, ...] = ()
    route: tuple[Route, ...] = ()
    costs: tuple[Cost, ...] = ()
    delete_pods: tuple[DeletePod, ...] = ()
    remove_downloads: tuple[Target, ...] = ()
    remove_sets: tuple[Target, ...] = ()
    remove_records: tuple[Target, ...] = ()
    keep_held: frozenset[str] = frozenset()
    """Names of held Services that stay; others of this model go."""
    watched: tuple[Watched, ...] = ()
    status: Json = field(default_factory=dict)
    announce: tuple[Announce, ...] = ()
    again: float | None = None
