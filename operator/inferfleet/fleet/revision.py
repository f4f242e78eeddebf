"""A revision: what of a spec needs new pods, its hash, and what is recorded of it.

The one rule: the hash is of the spec as written, without defaults, so that neither a new default nor a new operator
restarts anybody's GPUs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from inferfleet.api.base import Json
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.fleet.weights import Repository

HASHED = ("model", "engine", "gpu", "cache", "template")


def written(spec: ModelDeploymentSpec) -> Json:
    """Keep what the user wrote of the fields that need new pods; a shared claim grows under running pods."""
    unhashed = {"model": {"secret_ref"}, "cache": {"when_deleted"} | ({"size"} if spec.cache.type == "PVC" else set())}
    kept: Json = spec.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, include=set(HASHED), exclude=unhashed
    )
    return {key: value for key, value in kept.items() if value}


def revision_hash(spec: ModelDeploymentSpec, restarted: str = "") -> str:
    """Name a revision: 8 hexadecimal digits of SHA-256 over the written spec and the time of its restart."""
    content = written(spec) | ({"restarted": restarted} if restarted else {})
    return digest(content)[:8]


@lru_cache(maxsize=1024)
def shape_hash(product: str, gpus: int, tensor_parallel: int, pipeline_parallel: int) -> str:
    """Name a shape: 4 hexadecimal digits over product, GPUs and parallelism."""
    return digest([product, gpus, tensor_parallel, pipeline_parallel])[:4]


def digest(content: Any) -> str:  # noqa: ANN401 - any JSON value
    """SHA-256 of a JSON value, hexadecimal, the same for equal values."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class Shape:
    """Where and how wide one replica runs."""

    product: str
    """Name of the GPU class; empty on CPUs."""
    gpus: int
    tensor_parallel: int = 1
    pipeline_parallel: int = 1

    @property
    def short(self) -> str:
        """Four digits that name it."""
        return shape_hash(self.product, self.gpus, self.tensor_parallel, self.pipeline_parallel)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A ControllerRevision: what a ReplicaSet is restored from; times are RFC 3339 text or empty.

    `proven`, `good`, `failed` and `deaths` are its annotations, the only part that changes.
    """

    name: str
    uid: str
    revision: str
    shape: Shape
    number: int
    commit: str
    spec: Json = field(hash=False)
    """The whole spec as written when the revision was made."""
    template: Mapping[str, Any] = field(hash=False)
    config_maps: Mapping[str, Mapping[str, str]] = field(hash=False)
    repository: Repository
    """What was found, without the texts of configurations."""
    products: tuple[str, ...] = ()
    """Node label values of the GPU class."""
    model: str = ""
    """The model that is probed."""
    engine: str = "triton"
    image: str = ""
    cache: Json = field(default_factory=dict, hash=False)
    """The CachePlan's fields."""
    restarted: str = ""
    why: str = ""
    proven: str = ""
    good: str = ""
    failed: str = ""
    deaths: str = ""
    """Where and when models died."""


@dataclass(frozen=True, slots=True)
class PodSet:
    """A ReplicaSet of ours as it is."""

    name: str
    uid: str
    revision: str
    shape: str
    wanted: int
    """Replicas that its spec asks for."""
    existing: int
    traffic: str
    """Traffic label of its template."""
    blocked: str = ""
    """Why it cannot make pods, in the API server's words: a quota, an admission policy."""
    terminating: bool = False
