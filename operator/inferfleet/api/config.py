"""The operator's own configuration, written by the chart and read once at start.

The one rule: everything that depends on the cluster and not on one model stands here, with a bound.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from inferfleet.api.base import (
    TEXT,
    DnsLabel,
    DnsSubdomain,
    EnvName,
    Frozen,
    Json,
    Labels,
    LocalObjectReference,
    Quantity,
)
from inferfleet.api.spec import Image, OptionName, Options, ProductName

Line = Annotated[str, StringConstraints(pattern=TEXT, max_length=1024)]
LabelText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=63)]


def _network(text: str) -> str:
    ip_network(text, strict=False)
    return text


Cidr = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", max_length=64), AfterValidator(_network)
]
Port = Annotated[int, Field(ge=1, le=65535)]


class ProductClass(Frozen):
    """One kind of GPU in the fleet."""

    name: ProductName = Field(description="The name that specs use, for example `H100-80GB`.")
    products: Annotated[tuple[LabelText, ...], Field(min_length=1, max_length=16)] = Field(
        description="Values of the node label `nvidia.com/gpu.product` that belong to the class."
    )
    memory_mib: Annotated[int, Field(ge=256, le=4_194_304)] = Field(description="Memory of one GPU, in MiB.")
    gpus_per_node: Annotated[int, Field(ge=1, le=64)] = Field(default=8, description="GPUs of one node.")
    provisionable: bool = Field(default=False, description="An autoscaler adds nodes of this class on demand.")


class Images(Frozen):
    """Images of what we start."""

    operator: Image = Field(description="This image: download Jobs and init containers run it.")
    triton: Image = Field(description="NVIDIA Triton.")
    pull_policy: Annotated[str, StringConstraints(pattern=r"^(Always|IfNotPresent|Never)$")] = Field(
        default="IfNotPresent", description="When images are pulled."
    )
    pull_secrets: tuple[LocalObjectReference, ...] = Field(default=(), description="Secrets for the registry.")


class EgressRule(Frozen):
    """A destination that downloads may reach besides public addresses."""

    cidr: Cidr = Field(description="Addresses.")
    port: Port = Field(default=443, description="TCP port.")


class Fetch(Frozen):
    """How weights are downloaded."""

    hub_endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9._:/-]+$", max_length=512)] = Field(
        default="https://huggingface.co", description="The Hugging Face hub or its mirror."
    )
    egress: Annotated[tuple[EgressRule, ...], Field(max_length=32)] = Field(
        default=(), description="Mirrors, cloud identity endpoints, a proxy."
    )
    env: Annotated[dict[EnvName, Line], Field(max_length=32)] = Field(
        default={},
        description="Further environment, for example a proxy. No passwords: every model's namespace can read it.",
    )
    connections: Annotated[int, Field(ge=1, le=32)] = Field(default=4, description="Files downloaded at once.")


class CacheDefaults(Frozen):
    """Where weights are kept when a model does not say."""

    shared_storage_class: DnsSubdomain | None = Field(
        default=None, description="A StorageClass whose claims many nodes can mount; unset: each pod downloads."
    )
    size: Quantity = Field(default="200Gi", description="Size of claims and pod volumes.")


class Network(Frozen):
    """What NetworkPolicies need to know of the cluster."""

    api_server_cidrs: Annotated[tuple[Cidr, ...], Field(max_length=16)] = Field(
        default=(), description="Addresses of the API server, kept from download Jobs."
    )
    metrics_from: Annotated[tuple[Json, ...], Field(max_length=16)] = Field(
        default=(), description="NetworkPolicy peers that may read the model servers' metrics."
    )


class EngineDefaults(Frozen):
    """What the chart adds to an engine."""

    options: Options = Field(default={}, description="Options for every model, below the model's own.")
    allowed_options: Annotated[tuple[OptionName, ...], Field(max_length=64)] = Field(
        default=(), description="Options allowed to models besides the engine profile's own list."
    )


class FleetConfig(Frozen):
    """The operator's configuration."""

    namespace: DnsLabel = Field(description="The operator's own namespace.")
    lease: DnsSubdomain = Field(default="inferfleet", description="Name of the Lease that says which process leads.")
    operator_labels: Labels = Field(default={}, description="Labels of the operator's pods.")
    watch_namespaces: Annotated[tuple[DnsLabel, ...], Field(max_length=256)] = Field(
        default=(), description="Namespaces that are watched; all if empty."
    )
    foreign_pods: bool = Field(
        default=True, description="Whether the operator may see pods of all namespaces, to count free GPUs."
    )
    classes: Annotated[tuple[ProductClass, ...], Field(max_length=64)] = Field(
        default=(), description="The fleet's kinds of GPU, in order of preference."
    )
    images: Images = Field(description="Images of what we start.")
    triton: EngineDefaults = Field(default=EngineDefaults(), description="Additions to Triton.")
    run_as_user: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=10001, description="User of our pods; unset where the platform chooses."
    )
    fetch: Fetch = Field(default=Fetch(), description="How weights are downloaded.")
    cache: CacheDefaults = Field(default=CacheDefaults(), description="Where weights are kept.")
    network: Network = Field(default=Network(), description="What NetworkPolicies need to know.")
