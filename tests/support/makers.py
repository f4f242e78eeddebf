"""Small makers of facts for planner tests: what a test does not say has a plain value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inferfleet.api.config import CacheDefaults, FleetConfig, Images, ProductClass
from inferfleet.api.parse import parse_spec
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.fleet.downloads import Download
from inferfleet.fleet.nodes import Fleet, GpuPod, Node
from inferfleet.fleet.replicas import Proof, Replica
from inferfleet.fleet.revision import PodSet, Recorded, Shape, revision_hash
from inferfleet.fleet.snapshot import Snapshot, Subject
from inferfleet.fleet.weights import Outcome, Repository, RepositoryModel

NOW = 1_800_000_000.0
H100 = ProductClass(name="H100-80GB", products=("NVIDIA-H100-80GB-HBM3",), memory_mib=81559)
A100 = ProductClass(name="A100-80GB", products=("NVIDIA-A100-SXM4-80GB",), memory_mib=81920)
CONFIG = FleetConfig(
    namespace="inferfleet-system",
    images=Images(operator="registry.test/inferfleet:1", triton="registry.test/triton:1"),
    classes=(H100, A100),
    cache=CacheDefaults(shared_storage_class="rwx"),
)
REPOSITORY = Repository(
    commit="c" * 40,
    shape="triton",
    total_bytes=100 << 20,
    models=(RepositoryModel(name="m", versions=(1,), files=("model.py",), config='name: "m"'),),
)


def spec(**fields: Any) -> ModelDeploymentSpec:
    """Make a spec from its YAML fields."""
    found = parse_spec({"metadata": {"name": "m"}, "spec": {"model": {"source": "hf://org/model"}, **fields}})
    assert not isinstance(found, tuple), found
    return found


def subject(wanted: ModelDeploymentSpec | None = None, **fields: Any) -> Subject:
    """Make a ModelDeployment."""
    found = wanted or spec()
    written = found.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return replace(Subject("ns", "m", "uid-m", 1, found, written), **fields)


def node(name: str, gpus: int = 8, product: ProductClass = H100, **fields: Any) -> Node:
    """Make a node with GPUs of a class."""
    return replace(Node(name, product.products[0], gpus, gpus), **fields)


def fleet(*nodes: Node, used: dict[str, int] | None = None) -> Fleet:
    """Make a fleet; `used` counts GPUs that others hold, by node."""
    pods = tuple(GpuPod(f"other-{name}", name, gpus) for name, gpus in (used or {}).items())
    return Fleet(nodes or (node("n1"),), pods)


def replica(name: str, record: Recorded | None = None, **fields: Any) -> Replica:
    """Make a replica that serves and has been proven."""
    revision, shape = (record.revision, record.shape.short) if record else ("r", "s")
    plain = Replica(
        name, f"uid-{name}", "uid-set", revision, shape, NOW - 600, "serving", "n1", "10.0.0.1", bound=True, ready=True
    )
    return replace(replace(plain, proof=Proof(proven=True)), **fields)


def recorded(wanted: ModelDeploymentSpec, number: int = 1, **fields: Any) -> Recorded:
    """Record a spec."""
    revision, shape = revision_hash(wanted), Shape("H100-80GB", 1)
    plain = Recorded(
        name=f"m-{revision}-{shape.short}",
        uid=f"uid-{revision}",
        revision=revision,
        shape=shape,
        number=number,
        commit=REPOSITORY.commit,
        spec=wanted.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        template={},
        config_maps={},
        repository=REPOSITORY,
        products=H100.products,
        model="m",
        image="registry.test/triton:1",
        cache={"kind": "PVC", "claim": "m.weights", "size": "200Gi", "storage_class": "rwx", "ours": True},
    )
    return replace(plain, **fields)


def pod_set(record: Recorded, wanted: int, existing: int | None = None, **fields: Any) -> PodSet:
    """Make the ReplicaSet of a record."""
    count = wanted if existing is None else existing
    plain = PodSet(record.name, f"uid-set-{record.name}", record.revision, record.shape.short, wanted, count, "serving")
    return replace(plain, **fields)


def download(wanted: ModelDeploymentSpec, state: str = "Succeeded", attempt: int = 0, **fields: Any) -> Download:
    """Make a download Job of a spec's revision."""
    plain = Download(
        f"job-{attempt}", f"uid-job-{attempt}", revision_hash(wanted), "Running", NOW - 60, attempt=attempt
    )
    return replace(plain, state=state, **fields)  # type: ignore[arg-type]  # - a literal given as text


def failed(wanted: ModelDeploymentSpec, reason: str, ended: float = NOW - 1, attempt: int = 0) -> Download:
    """Make a download Job that failed."""
    outcome = Outcome(ok=False, reason=reason, message="It failed; do something.")
    return download(wanted, "Failed", attempt, ended=ended, outcome=outcome)


def snapshot(wanted: ModelDeploymentSpec | None = None, **fields: Any) -> Snapshot:
    """Make a snapshot of a model on a fleet of one free node."""
    plain = Snapshot(subject(wanted), fleet=fleet(node("n1"), node("n2", product=A100)))
    return replace(plain, **fields)
