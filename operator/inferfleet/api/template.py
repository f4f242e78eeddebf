"""`spec.template`: the escape hatch, an allow-list of pod fields that cannot break isolation.

The one rule: what is not named here is refused; maps merge over ours, lists are appended.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from inferfleet.api.affinity import Affinity, LabelSelector
from inferfleet.api.base import (
    DnsLabel,
    DnsSubdomain,
    EnvName,
    Frozen,
    LabelKey,
    Labels,
    LabelValue,
    LocalObjectReference,
    Quantity,
    Rule,
    Text,
    at_most_one,
    is_unique,
)
from inferfleet.api.volumes import OUR_ENV, EnvFrom, EnvValueFrom, RelativePath, Volume

MountPath = Annotated[
    str, StringConstraints(pattern=r"^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$", min_length=2, max_length=512)
]
TaintEffect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
ResourceName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(cpu|memory|ephemeral-storage|rdma/[a-z0-9_.-]+|hugepages-[0-9]+[KMG]i)$", max_length=128
    ),
]
Amount = Annotated[int, Field(ge=0, le=2**53)] | Quantity
Amounts = Annotated[dict[ResourceName, Amount], Field(max_length=8)]
OUR_PATHS = ("/weights", "/models", "/config", "/tmp", "/dev", "/proc", "/sys", "/etc", "/opt/tritonserver")  # noqa: S108 - a mount path of the pod, no file of ours
SYSTEM_PREFIX = (
    r"^([a-z0-9.-]+\.)?(inferfleet\.dev|kubernetes\.io|k8s\.io|nvidia\.com|argoproj\.io|helm\.sh|fluxcd\.io)/"
)


def no_system_keys(field: str) -> Rule:
    """Keys of this map must not carry a prefix that others rely on."""
    return Rule(
        f"!has(self.{field}) || self.{field}.all(key, !key.matches(r'{SYSTEM_PREFIX}'))",
        f"{field} must not use the prefixes of inferfleet.dev, kubernetes.io, k8s.io, nvidia.com, argoproj.io, helm.sh "
        "or fluxcd.io; use a prefix of your own",
        lambda template: not any(re.match(SYSTEM_PREFIX, key) for key in getattr(template, field)),
    )


def _is_ours(path: str) -> bool:
    return any(path == ours or path.startswith(f"{ours}/") for ours in OUR_PATHS)


class Toleration(Frozen):
    """A taint that the pods bear."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without key matches every taint and needs operator Exists; set key, or operator Exists",
            lambda toleration: toleration.key is not None or toleration.operator == "Exists",
        ),
        Rule(
            "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "operator Exists compares no value; remove value, or operator",
            lambda toleration: toleration.operator != "Exists" or not toleration.value,
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds counts for the effect NoExecute only; set effect, or remove tolerationSeconds",
            lambda toleration: toleration.toleration_seconds is None or toleration.effect == "NoExecute",
        ),
    )

    key: LabelKey | None = Field(default=None, description="Key of the taint; unset matches all keys.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How the value is compared.")
    value: LabelValue | None = Field(default=None, description="Value of the taint.")
    effect: TaintEffect | None = Field(default=None, description="Effect of the taint; unset matches all.")
    toleration_seconds: Annotated[int, Field(ge=0, le=86400)] | None = Field(
        default=None, description="How long a NoExecute taint is borne, in seconds."
    )


class TopologySpread(Frozen):
    """How evenly the pods are spread."""

    max_skew: Annotated[int, Field(ge=1, le=100)] = Field(description="The largest difference allowed.")
    topology_key: LabelKey = Field(description="Node label that names the domain.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(description="Rule or wish.")
    label_selector: LabelSelector | None = Field(
        default=None, description="Which pods are counted. Default: the pods of this model."
    )


class EnvVar(Frozen):
    """A variable of the server's environment."""

    rules: ClassVar[tuple[Rule, ...]] = (
        at_most_one("value", "valueFrom"),
        Rule(
            f"!self.name.startsWith('NVIDIA_') && !(self.name in {list(OUR_ENV)})",
            "NVIDIA_* would show other tenants' GPUs, and " + ", ".join(OUR_ENV) + " are set by inferfleet; remove it",
            lambda variable: not variable.name.startswith("NVIDIA_") and variable.name not in OUR_ENV,
        ),
    )

    name: EnvName = Field(description="Name; NVIDIA_* and the names inferfleet sets are refused.")
    value: Text | None = Field(default=None, description="Plain value.")
    value_from: EnvValueFrom | None = Field(default=None, description="Value from a Secret, ConfigMap or pod field.")


class VolumeMount(Frozen):
    """A volume in the server's file system."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!{list(OUR_PATHS)}.exists(ours, self.mountPath == ours || self.mountPath.startsWith(ours + '/'))",
            "mountPath must lie outside " + ", ".join(OUR_PATHS) + ", which inferfleet uses; choose another path",
            lambda mount: not _is_ours(mount.mount_path),
        ),
    )

    name: DnsLabel = Field(description="Name of a volume of this template.")
    mount_path: MountPath = Field(description="Absolute path, outside the paths that inferfleet uses.")
    read_only: bool = Field(default=False, description="Mount it read-only.")
    sub_path: RelativePath | None = Field(default=None, description="Path inside the volume.")


class Resources(Frozen):
    """What the server container asks for besides GPUs."""

    requests: Amounts = Field(default={}, description="cpu, memory, ephemeral-storage, RDMA devices.")
    limits: Amounts = Field(default={}, description="cpu, memory, ephemeral-storage, RDMA devices.")


class ServerTemplate(Frozen):
    """Additions to the server container."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.env) || self.env.all(a, self.env.exists_one(b, b.name == a.name))",
            "env must not name a variable twice; remove one",
            lambda server: is_unique(variable.name for variable in server.env),
        ),
        Rule(
            "!has(self.volumeMounts) || "
            "self.volumeMounts.all(a, self.volumeMounts.exists_one(b, b.mountPath == a.mountPath))",
            "volumeMounts must not use a mountPath twice; remove one",
            lambda server: is_unique(mount.mount_path for mount in server.volume_mounts),
        ),
    )

    env: Annotated[tuple[EnvVar, ...], Field(max_length=64)] = Field(
        default=(), description="Further environment variables."
    )
    env_from: Annotated[tuple[EnvFrom, ...], Field(max_length=8)] = Field(
        default=(), description="Secrets or ConfigMaps whose keys become variables."
    )
    volume_mounts: Annotated[tuple[VolumeMount, ...], Field(max_length=16)] = Field(
        default=(), description="Further volume mounts."
    )
    resources: Resources = Field(default=Resources(), description="Requests and limits besides GPUs.")


class PodTemplate(Frozen):
    """Additions to the serving pods."""

    rules: ClassVar[tuple[Rule, ...]] = (
        no_system_keys("labels"),
        no_system_keys("annotations"),
        Rule(
            "!has(self.volumes) || self.volumes.all(a, self.volumes.exists_one(b, b.name == a.name))",
            "volumes must not name a volume twice; remove one",
            lambda template: is_unique(volume.name for volume in template.volumes),
        ),
        Rule(
            "!has(self.server) || !has(self.server.volumeMounts) || self.server.volumeMounts.all(mount, "
            "has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name))",
            "server.volumeMounts must name volumes of this template; add the volume, or remove the mount",
            lambda template: (
                {mount.name for mount in template.server.volume_mounts} <= {volume.name for volume in template.volumes}
            ),
        ),
    )

    labels: Labels = Field(default={}, description="Further labels; system prefixes are refused.")
    annotations: Annotated[dict[LabelKey, Text], Field(max_length=32)] = Field(
        default={}, description="Further annotations; system prefixes are refused."
    )
    node_selector: Labels = Field(default={}, description="Node labels that are required.")
    affinity: Affinity | None = Field(default=None, description="Node, pod and pod anti-affinity.")
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = Field(
        default=(), description="Taints that the pods bear."
    )
    topology_spread_constraints: Annotated[tuple[TopologySpread, ...], Field(max_length=4)] = Field(
        default=(), description="How the pods are spread."
    )
    image_pull_secrets: Annotated[tuple[LocalObjectReference, ...], Field(max_length=8)] = Field(
        default=(), description="Secrets for the image registry."
    )
    runtime_class_name: DnsSubdomain | None = Field(default=None, description="RuntimeClass, for example `nvidia`.")
    scheduler_name: DnsSubdomain | None = Field(default=None, description="Another scheduler.")
    volumes: Annotated[tuple[Volume, ...], Field(max_length=16)] = Field(
        default=(),
        description="Further volumes: configMap, secret, csi, downwardAPI, emptyDir, ephemeral, "
        "persistentVolumeClaim, projected without token.",
    )
    server: ServerTemplate = Field(default=ServerTemplate(), description="Additions to the server container.")
