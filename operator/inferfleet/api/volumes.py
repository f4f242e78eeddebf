"""Volumes and variable sources of `spec.template`: nothing that reaches the node or carries a token."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from inferfleet.api.base import (
    DnsLabel,
    DnsSubdomain,
    EnvName,
    Frozen,
    Labels,
    LocalObjectReference,
    Quantity,
    Rule,
    Text,
    exactly_one,
)

KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", min_length=1, max_length=253)]
RelativePath = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", max_length=512),
]
_OWN_FIELD = r"metadata\.(name|namespace|uid|(labels|annotations)\['[A-Za-z0-9._/-]+'\])"
EnvFieldPath = Annotated[
    str, StringConstraints(pattern=rf"^({_OWN_FIELD}|spec\.nodeName|status\.(podIP|hostIP))$", max_length=253)
]
FileFieldPath = Annotated[
    str, StringConstraints(pattern=rf"^({_OWN_FIELD}|metadata\.(labels|annotations))$", max_length=253)
]
OUR_VOLUMES = ("weights", "models", "config", "ca", "tmp", "shm")
Mode = Annotated[int, Field(ge=0, le=511)]

OUR_ENV = (
    "ADMIN_KEY", "DRAIN_SECONDS", "HOME", "HF_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "DO_NOT_TRACK",
    "LD_PRELOAD", "PATH",
)  # fmt: skip
"""Variables that are set for the server, or that nobody may set."""


class KeyToPath(Frozen):
    """One key as one file."""

    key: KeyName = Field(description="Key.")
    path: RelativePath = Field(description="Relative file path without `..`.")
    mode: Mode | None = Field(default=None, description="File mode, decimal.")


Items = Annotated[tuple[KeyToPath, ...], Field(max_length=64)]


class ConfigMapSource(Frozen):
    """A ConfigMap as files."""

    name: DnsSubdomain = Field(description="Name of the ConfigMap.")
    items: Items = Field(default=(), description="Only these keys.")
    optional: bool = Field(default=False, description="It may be missing.")


class SecretSource(Frozen):
    """A Secret as files."""

    secret_name: DnsSubdomain = Field(description="Name of the Secret.")
    items: Items = Field(default=(), description="Only these keys.")
    optional: bool = Field(default=False, description="It may be missing.")


class CsiSource(Frozen):
    """An inline CSI volume."""

    driver: DnsSubdomain = Field(description="Name of the driver.")
    read_only: bool = Field(default=True, description="Mount it read-only.")
    volume_attributes: Annotated[dict[KeyName, Text], Field(max_length=32)] = Field(
        default={}, description="Attributes for the driver."
    )


class EnvFieldRef(Frozen):
    """A field of the pod as a variable."""

    field_path: EnvFieldPath = Field(description="For example `metadata.name` or `status.podIP`.")


class FileFieldRef(Frozen):
    """A field of the pod as a file."""

    field_path: FileFieldPath = Field(description="For example `metadata.labels`.")


class DownwardItem(Frozen):
    """A pod field as a file."""

    path: RelativePath = Field(description="Relative file path.")
    field_ref: FileFieldRef = Field(description="The field.")


class DownwardSource(Frozen):
    """Pod fields as files."""

    items: Annotated[tuple[DownwardItem, ...], Field(max_length=32)] = Field(default=(), description="The files.")


class EmptyDirSource(Frozen):
    """Scratch space."""

    medium: Literal["", "Memory"] = Field(default="", description="Disk or memory.")
    size_limit: Quantity | None = Field(default=None, description="Largest size.")


class ClaimSource(Frozen):
    """An existing claim."""

    claim_name: DnsLabel = Field(description="Name of the claim, in the same namespace.")
    read_only: bool = Field(default=False, description="Mount it read-only.")


class ClaimResources(Frozen):
    """What an ephemeral claim asks for."""

    requests: Annotated[dict[Literal["storage"], Quantity], Field(min_length=1, max_length=1)] = Field(
        description="storage only."
    )


class ClaimSpec(Frozen):
    """The claim of an ephemeral volume."""

    access_modes: Annotated[
        tuple[Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"], ...],
        Field(min_length=1, max_length=3),
    ] = Field(description="Access modes.")
    storage_class_name: DnsSubdomain | None = Field(default=None, description="StorageClass.")
    resources: ClaimResources = Field(description="Its size.")


class ClaimMetadata(Frozen):
    """Labels of an ephemeral claim."""

    labels: Labels = Field(default={}, description="Labels.")


class ClaimTemplate(Frozen):
    """A claim made for each pod."""

    metadata: ClaimMetadata = Field(default=ClaimMetadata(), description="Labels.")
    spec: ClaimSpec = Field(description="The claim.")


class EphemeralSource(Frozen):
    """A claim that lives as long as its pod."""

    volume_claim_template: ClaimTemplate = Field(description="The claim.")


class ProjectedItem(Frozen):
    """One source of a projected volume; a service account token is not among them."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("configMap", "secret", "downwardAPI"),)

    config_map: ConfigMapSource | None = Field(default=None, description="A ConfigMap.")
    secret: ConfigMapSource | None = Field(default=None, description="A Secret, by `name`.")
    downward_api: DownwardSource | None = Field(default=None, alias="downwardAPI", description="Pod fields.")


class ProjectedSource(Frozen):
    """Several sources in one folder."""

    sources: Annotated[tuple[ProjectedItem, ...], Field(max_length=16)] = Field(description="The sources.")


class Volume(Frozen):
    """One volume: a name and exactly one source."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one(
            "configMap",
            "secret",
            "csi",
            "downwardAPI",
            "emptyDir",
            "persistentVolumeClaim",
            "ephemeral",
            "projected",
        ),
        Rule(
            "!(self.name in ['weights', 'models', 'config', 'ca', 'tmp', 'shm'])",
            "the volume names weights, models, config, ca, tmp and shm are taken by inferfleet; choose another name",
            lambda volume: volume.name not in OUR_VOLUMES,
        ),
    )

    name: DnsLabel = Field(description="Name; it must not be one that inferfleet uses.")
    config_map: ConfigMapSource | None = Field(default=None, description="A ConfigMap.")
    secret: SecretSource | None = Field(default=None, description="A Secret.")
    csi: CsiSource | None = Field(default=None, description="An inline CSI volume.")
    downward_api: DownwardSource | None = Field(default=None, alias="downwardAPI", description="Pod fields.")
    empty_dir: EmptyDirSource | None = Field(default=None, description="Scratch space.")
    persistent_volume_claim: ClaimSource | None = Field(default=None, description="An existing claim.")
    ephemeral: EphemeralSource | None = Field(default=None, description="A claim made for each pod.")
    projected: ProjectedSource | None = Field(default=None, description="Several sources in one folder.")


class KeyRef(Frozen):
    """One key of a Secret or ConfigMap."""

    name: DnsSubdomain = Field(description="Name of the object.")
    key: KeyName = Field(description="Key.")
    optional: bool = Field(default=False, description="It may be missing.")


class EnvValueFrom(Frozen):
    """Where a variable's value comes from: exactly one of these."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("secretKeyRef", "configMapKeyRef", "fieldRef"),)

    secret_key_ref: KeyRef | None = Field(default=None, description="A key of a Secret.")
    config_map_key_ref: KeyRef | None = Field(default=None, description="A key of a ConfigMap.")
    field_ref: EnvFieldRef | None = Field(default=None, description="A field of the pod.")


def _may_become_ours(prefix: str) -> bool:
    return prefix.startswith("NVIDIA_") or any(name.startswith(prefix) for name in ("NVIDIA_", *OUR_ENV))


class EnvFrom(Frozen):
    """All keys of a Secret or ConfigMap as variables."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("secretRef", "configMapRef"),
        Rule(
            f"!self.prefix.startsWith('NVIDIA_') && "
            f"!{['NVIDIA_', *OUR_ENV]}.exists(ours, ours.startsWith(self.prefix))",
            "prefix must not begin a name that inferfleet sets, or NVIDIA_*; choose another, for example APP_",
            lambda source: not _may_become_ours(source.prefix),
        ),
    )

    prefix: EnvName = Field(description="Put before each name, so that no key can take the place of NVIDIA_* or ours.")
    secret_ref: LocalObjectReference | None = Field(default=None, description="The Secret.")
    config_map_ref: LocalObjectReference | None = Field(default=None, description="The ConfigMap.")
