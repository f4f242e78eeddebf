"""What a model's children should be, in the planner's words; `render` turns each into a manifest.

The one rule: a value here holds all that its manifest needs, so that rendering decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.fleet.replicas import Traffic
from inferfleet.fleet.revision import Recorded, Shape
from inferfleet.fleet.weights import Repository

CacheKind = Literal["PVC", "Pod", "Source"]


@dataclass(frozen=True, slots=True)
class Owner:
    """The ModelDeployment that children belong to."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class CachePlan:
    """Where weights lie. PVC: a claim, ours or given. Pod: each pod's own volume. Source: the `pvc://` claim itself."""

    kind: CacheKind
    claim: str = ""
    size: str = ""
    storage_class: str = ""
    ours: bool = False
    """The claim is made by us."""


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """All that a revision's pod template and ConfigMaps are made of, once, when the revision is recorded."""

    owner: Owner
    spec: ModelDeploymentSpec
    revision: str
    shape: Shape
    products: tuple[str, ...]
    """Node label values of the GPU class; empty on CPUs."""
    model: str
    """The model of the repository that is probed."""
    image: str
    repository: Repository
    cache: CachePlan


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is laid over a recorded template, and nothing else; durations are seconds."""

    traffic: Traffic
    drain_seconds: int
    priority_class: str = ""
    avoid_nodes: tuple[str, ...] = ()
    """Nodes on which replicas of the model died: preferred against, not forbidden."""


@dataclass(frozen=True, slots=True)
class WantedDownload:
    """A download Job. `resolve_only`: it finds the commit and the shape and leaves the weights to each pod."""

    owner: Owner
    revision: str
    source: str
    wanted_revision: str
    """Branch, tag or commit; empty for a claim."""
    secret: str
    cache: CachePlan
    attempt: int
    resolve_only: bool = False
    evict: bool = False
    """The claim is ours: commits other than those in use go when space is short."""
    in_use: tuple[str, ...] = ()
    """Directories of commits that stay, as SOURCE-DIRECTORY/COMMIT."""


@dataclass(frozen=True, slots=True)
class WantedSet:
    """A ReplicaSet restored from its record."""

    recorded: Recorded
    replicas: int
    overlay: Overlay


@dataclass(frozen=True, slots=True)
class WantedRecord:
    """A ControllerRevision to write, once."""

    serving: ServingPlan
    number: int
    restarted: str
    why: str


@dataclass(frozen=True, slots=True)
class WantedClaim:
    """A claim to make, or to grow; it is deleted with the model only where `delete_with_model` says so."""

    owner: Owner
    name: str
    size: str
    storage_class: str
    delete_with_model: bool
    sized: bool = False
    """The user chose the size: a claim that is there grows to it. The chart's size is for new claims alone."""


@dataclass(frozen=True, slots=True)
class WantedPolicies:
    """NetworkPolicies of the model's pods."""

    owner: Owner
    serving_egress: bool
    """Serving pods may reach anyone: the user said so."""
    pod_downloads: bool
    """Serving pods download their own weights: DNS and port 443."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many serving pods an eviction may take: a share, or none where the last one must not go."""

    max_unavailable: Literal["10%", 0]


@dataclass(frozen=True, slots=True)
class Children:
    """Everything that should exist besides downloads and records."""

    sets: tuple[WantedSet, ...] = ()
    claims: tuple[WantedClaim, ...] = ()
    policies: WantedPolicies | None = None
    served: bool = False
    """The Service exists."""
    budget: Budget | None = None
    held: tuple[str, ...] = ()
    """Revisions that have a held Service."""
