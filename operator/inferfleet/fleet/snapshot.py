"""Everything one beat looks at, taken once.

The one rule: a decision that needs more than this needs a new fact here, never a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from inferfleet.api.base import Json
from inferfleet.api.parse import Problem
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.fleet.downloads import Download
from inferfleet.fleet.nodes import Fleet, Quota
from inferfleet.fleet.replicas import Replica
from inferfleet.fleet.revision import PodSet, Recorded


@dataclass(frozen=True, slots=True)
class Subject:
    """The ModelDeployment itself."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: ModelDeploymentSpec | None
    written: Json = field(default_factory=dict, hash=False)
    """The spec as it stands in the object, accepted or not."""
    problems: tuple[Problem, ...] = ()
    status: Json = field(default_factory=dict, hash=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One model and its surroundings at one moment."""

    subject: Subject
    recorded: tuple[Recorded, ...] = ()
    sets: tuple[PodSet, ...] = ()
    replicas: tuple[Replica, ...] = ()
    downloads: tuple[Download, ...] = ()
    fleet: Fleet = field(default_factory=Fleet)
    quotas: tuple[Quota, ...] = ()
    updates: tuple[str, ...] = ()
    """Names of records whose template would be rendered differently today."""

    def set_of(self, recorded: Recorded) -> PodSet | None:
        """Find the ReplicaSet of a revision and shape."""
        return next((found for found in self.sets if found.name == recorded.name), None)

    def replicas_of(self, recorded: Recorded) -> tuple[Replica, ...]:
        """Find the pods of a revision and shape."""
        return tuple(
            replica
            for replica in self.replicas
            if (replica.revision, replica.shape) == (recorded.revision, recorded.shape.short)
        )
