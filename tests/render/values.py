"""Values that the tests of this room render, and how a manifest is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.api.parse import parse_spec
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.fleet.revision import Shape
from inferfleet.fleet.weights import Repository, RepositoryModel
from inferfleet.plan.desired import CachePlan, Owner, ServingPlan

GOLDEN = Path(__file__).parent / "golden"
OWNER = Owner("team-a", "smollm2", "7f1d3f0e-6f0a-4b8e-9d8b-2f6f4c1a0001")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = FleetConfig.model_validate_json(
    json.dumps(
        {
            "namespace": "inferfleet-system",
            "operatorLabels": {"app.kubernetes.io/name": "inferfleet"},
            "images": {
                "operator": "registry.example/inferfleet:1.0",
                "triton": "registry.example/tritonserver:26.07-py3",
            },
        }
    )
)


def config(**fields: object) -> FleetConfig:
    """Change fields of the configuration, as YAML names them."""
    whole = CONFIG.model_dump(mode="json", by_alias=True) | fields
    return FleetConfig.model_validate_json(json.dumps(whole))


def spec(**parts: object) -> ModelDeploymentSpec:
    """Read a spec with these parts, as YAML writes them."""
    whole = {"model": {"source": "hf://org/models"}} | parts
    found = parse_spec({"metadata": {"name": OWNER.name}, "spec": whole})
    assert isinstance(found, ModelDeploymentSpec), found
    return found


def model(name: str = "smollm2", config: str | None = "", **fields: Any) -> RepositoryModel:
    return RepositoryModel(name=name, versions=(1,), config=config, **fields)


def repository(*models: RepositoryModel, total_bytes: int = 3 << 30) -> Repository:
    return Repository(commit=COMMIT, shape="triton", total_bytes=total_bytes, models=models or (model(),))


def serving(
    wanted: ModelDeploymentSpec | None = None,
    cache: CachePlan | None = None,
    found: Repository | None = None,
    gpus: int = 1,
) -> ServingPlan:
    """Plan a revision to serve."""
    asked = wanted or spec()
    return ServingPlan(
        owner=OWNER,
        spec=asked,
        revision="3f2a9c1b",
        shape=Shape("H100-80GB" if gpus else "", gpus),
        products=("NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe") if gpus else (),
        model="smollm2",
        image=asked.engine.image or CONFIG.images.triton,
        repository=found or repository(),
        cache=cache or CachePlan("PVC", claim="smollm2.weights", ours=True),
    )


def check_schema(manifest: Json) -> None:
    """Hold a manifest to the strict schema of the Kubernetes that we build for."""
    kubernetes_validate.validate(manifest, "1.36", strict=True)


def check_golden(name: str, *manifests: Json) -> None:
    """Compare with the golden file, and hold each manifest to the schema."""
    for manifest in manifests:
        check_schema(manifest)
    written = yaml.dump_all(manifests, Dumper=_Plain, sort_keys=False, width=120)
    path = GOLDEN / f"{name}.yaml"
    if not path.exists():
        path.write_text(written)
        raise AssertionError(f"{path.name} was missing and is written now: read it, and run again")
    assert written == path.read_text()


class _Plain(yaml.SafeDumper):
    """Writes the same value twice where it stands twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def pods_of(manifest: Json) -> Iterator[Json]:
    """Find the pod template of a manifest that has one."""
    template = manifest.get("spec", {}).get("template")
    if template:
        yield template


def containers(pod: Json) -> list[Json]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def container(pod: Json, name: str) -> Json:
    return next(each for each in containers(pod) if each["name"] == name)


def check_restricted(pod: Json) -> None:
    """Assert what Pod Security's profile `restricted` asks, and more."""
    inner = pod["spec"]
    security = inner["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security.get("runAsUser") != 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inner["automountServiceAccountToken"] is False
    assert inner["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "nodeName", "serviceAccountName", "hostUsers"} & set(inner)
    for each in containers(pod):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in each.get("ports", []))
    kinds = {kind for volume in inner["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
    }  # fmt: skip
    for volume in inner["volumes"]:
        assert not any("serviceAccountToken" in source for source in volume.get("projected", {}).get("sources", []))


def check_mounts(pod: Json) -> None:
    """Assert that each mount has its volume and no path is taken twice."""
    volumes = [volume["name"] for volume in pod["spec"]["volumes"]]
    assert len(volumes) == len(set(volumes))
    for each in containers(pod):
        paths = [mount["mountPath"] for mount in each["volumeMounts"]]
        assert len(paths) == len(set(paths))
        assert {mount["name"] for mount in each["volumeMounts"]} <= set(volumes)
