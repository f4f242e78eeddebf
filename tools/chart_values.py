"""The chart's values as models: values.yaml, values.schema.json and their reference page are generated from them.

The one rule: what the operator's configuration bounds is bounded here by the very same types.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from inferfleet.api.base import DnsLabel, Frozen, LabelKey, Labels, LocalObjectReference, Quantity
from inferfleet.api.config import Cidr, EngineDefaults, Fetch, ProductClass
from inferfleet.api.template import Toleration

Free = dict[str, Any]
"""An object of Kubernetes' own, which the API server checks."""
OptionalName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$", max_length=253)]
ShortName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$", max_length=63)]
Annotations = Annotated[dict[LabelKey, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]
Registry = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?)?$", max_length=255)]
PART = r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?"
Repository = Annotated[str, StringConstraints(pattern=rf"^{PART}(:[0-9]{{1,5}})?(/{PART})*$", max_length=255)]
Tag = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$", max_length=128)]
GivenTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", max_length=128)]
Digest = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$", max_length=71)]
Secrets = Annotated[tuple[LocalObjectReference, ...], Field(max_length=16)]


def gpu_class(name: str, memory_mib: int, *products: str) -> ProductClass:
    """Name a kind of GPU, its memory as the driver reports it, and the node labels that mean it."""
    return ProductClass(name=name, products=products, memory_mib=memory_mib)


CLASSES = (
    gpu_class("H100-80GB", 81559, "NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe"),
    gpu_class("H200-141GB", 143771, "NVIDIA-H200", "NVIDIA-H200-NVL"),
    gpu_class("B200-180GB", 183359, "NVIDIA-B200"),
    gpu_class("A100-80GB", 81920, "NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe"),
    gpu_class("A100-40GB", 40960, "NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-PCIE-40GB"),
    gpu_class("L40S-48GB", 46068, "NVIDIA-L40S"),
    gpu_class("L4-24GB", 23034, "NVIDIA-L4"),
)


class GlobalImage(Frozen):
    """Where all images come from."""

    registry: Registry = Field(default="", description="Registry of all images, for an air-gapped mirror.")


class Global(Frozen):
    """What a chart above this one may set for all its parts."""

    model_config = ConfigDict(extra="allow")

    image: GlobalImage = Field(default=GlobalImage(), description="Where all images come from.")
    image_pull_secrets: Secrets = Field(default=(), description="Pull secrets, before those of `imagePullSecrets`.")


class Crds(Frozen):
    """The CustomResourceDefinition."""

    enabled: bool = Field(default=True, description="Install and upgrade the CRD with the chart.")
    keep: bool = Field(
        default=True,
        description="Keep the CRD, and with it every ModelDeployment, when the chart is uninstalled or pruned.",
    )


class OperatorImage(Frozen):
    """The operator's image, which download Jobs and init containers run too."""

    registry: Registry = Field(default="ghcr.io", description="Registry, unless `global.image.registry` is set.")
    repository: Repository = Field(default="inferfleet/inferfleet", description="Repository.")
    tag: Tag = Field(default="", description="Tag; the chart's appVersion if empty.")
    digest: Digest = Field(default="", description="Digest, `sha256:...`; it goes before the tag.")
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When images are pulled, those of models too."
    )


class TritonImage(Frozen):
    """NVIDIA Triton's image."""

    registry: Registry = Field(default="nvcr.io", description="Registry, unless `global.image.registry` is set.")
    repository: Repository = Field(default="nvidia/tritonserver", description="Repository.")
    tag: GivenTag = Field(
        default="24.10-py3",
        description="Tag. 24.10 is what this release is tested with; Blackwell GPUs need a later one.",
    )
    digest: Digest = Field(default="", description="Digest, `sha256:...`; it goes before the tag.")


class Triton(EngineDefaults):
    """NVIDIA Triton."""

    image: TritonImage = Field(default=TritonImage(), description="Its image. A newer one restarts no model.")


class Engines(Frozen):
    """The model servers."""

    triton: Triton = Field(default=Triton(), description="NVIDIA Triton.")


class Rbac(Frozen):
    """Rights."""

    create: bool = Field(default=True, description="Make roles and bindings; without them, make your own.")
    foreign_pods: bool = Field(
        default=True,
        description="Let the operator see pods of all namespaces, to count free GPUs. Without it, a rollout never "
        "adds a replica before it takes one away.",
    )
    aggregate: bool = Field(
        default=True, description="Let the built-in roles view, edit and admin cover ModelDeployments."
    )


class ServiceAccount(Frozen):
    """The operator's account."""

    create: bool = Field(default=True, description="Make the account.")
    name: OptionalName = Field(default="", description="Its name; the full name of the release if empty.")
    annotations: Annotations = Field(default={}, description="Annotations of the account.")


class Cache(Frozen):
    """Where weights are kept when a model does not say."""

    shared_storage_class: OptionalName = Field(
        default="",
        description="A StorageClass whose claims many nodes can mount: weights are downloaded once. Empty: each pod "
        "downloads for itself.",
    )
    size: Quantity = Field(default="200Gi", description="Size of claims and of pod volumes.")


class ApiServer(Frozen):
    """The cluster's API server."""

    cidrs: Annotated[tuple[Cidr, ...], Field(max_length=16)] = Field(
        default=(),
        description="Its addresses: download Jobs are kept from them, and the operator's own policy opens them. Find "
        "them with `kubectl get endpointslices -n default`.",
    )


class MetricsService(Frozen):
    """The Service of the operator's metrics."""

    enabled: bool = Field(default=True, description="Make the Service.")
    annotations: Annotations = Field(default={}, description="Its annotations.")


class Metrics(Frozen):
    """Who reads metrics."""

    from_peers: Annotated[tuple[Free, ...], Field(max_length=16)] = Field(
        default=(),
        alias="from",
        description="NetworkPolicy peers that may read the metrics of model servers, for example your Prometheus.",
    )
    service: MetricsService = Field(default=MetricsService(), description="The Service of the operator's metrics.")


class NetworkPolicy(Frozen):
    """The operator's own NetworkPolicy; models have theirs always."""

    enabled: bool = Field(default=False, description="Let the operator reach the API server, DNS and models only.")


class Budget(Frozen):
    """The operator's PodDisruptionBudget."""

    enabled: bool = Field(default=True, description="Make the budget.")
    max_unavailable: Annotated[int, Field(ge=1, le=16)] = Field(
        default=1, description="How many replicas of the operator a drain may take at once."
    )


class Amounts(Frozen):
    """CPU and memory."""

    requests: Annotated[dict[str, Quantity], Field(max_length=8)] = Field(default={}, description="What is reserved.")
    limits: Annotated[dict[str, Quantity], Field(max_length=8)] = Field(default={}, description="What is never passed.")


class Values(Frozen):
    """All values."""

    global_values: Global = Field(default=Global(), alias="global", description="Shared with other charts.")
    name_override: ShortName = Field(default="", description="Name of the chart in labels and names.")
    fullname_override: ShortName = Field(default="", description="Name of everything that is made.")
    namespace_override: ShortName = Field(default="", description="Namespace; the release's if empty.")
    common_labels: Labels = Field(default={}, description="Labels of everything that is made.")
    crds: Crds = Field(default=Crds(), description="The CustomResourceDefinition.")
    watch_namespaces: Annotated[tuple[DnsLabel, ...], Field(max_length=256)] = Field(
        default=(),
        description="Namespaces whose models are served; all if empty. With names here the operator gets a Role in "
        "each of them instead of a ClusterRole. They must exist.",
    )
    classes: Annotated[tuple[ProductClass, ...], Field(max_length=64)] = Field(
        default=CLASSES,
        description="The kinds of GPU of this fleet, most wanted first. `products` are values of the node label "
        "`nvidia.com/gpu.product`, `memoryMib` the memory of one GPU. A list here replaces the whole list.",
    )
    engines: Engines = Field(default=Engines(), description="The model servers.")
    cache: Cache = Field(default=Cache(), description="Where weights are kept when a model does not say.")
    fetch: Fetch = Field(default=Fetch(), description="How weights are downloaded.")
    api_server: ApiServer = Field(default=ApiServer(), description="The cluster's API server.")
    metrics: Metrics = Field(default=Metrics(), description="Who reads metrics.")
    run_as_user: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=10001,
        description="User of models' pods and download Jobs; null where the platform chooses (OpenShift).",
    )
    image: OperatorImage = Field(
        default=OperatorImage(), description="The operator's image, which download Jobs and init containers run too."
    )
    image_pull_secrets: Secrets = Field(
        default=(), description="Pull secrets of the operator and of models; they must exist in each namespace."
    )
    replicas: Annotated[int, Field(ge=1, le=5)] = Field(
        default=2, description="Processes of the operator: one leads, the others stand by."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged.")
    rbac: Rbac = Field(default=Rbac(), description="Rights.")
    service_account: ServiceAccount = Field(default=ServiceAccount(), description="The operator's account.")
    network_policy: NetworkPolicy = Field(
        default=NetworkPolicy(), description="The operator's own NetworkPolicy; models have theirs always."
    )
    pod_disruption_budget: Budget = Field(default=Budget(), description="The operator's PodDisruptionBudget.")
    resources: Amounts = Field(
        default=Amounts(requests={"cpu": "100m", "memory": "128Mi"}, limits={"memory": "512Mi"}),
        description="CPU and memory of the operator. A limit of CPU would only slow it down.",
    )
    priority_class_name: OptionalName = Field(default="", description="PriorityClass of the operator.")
    node_selector: Labels = Field(default={}, description="Node labels that the operator requires.")
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = Field(
        default=(), description="Taints that the operator bears."
    )
    affinity: Free = Field(default={}, description="Affinity of the operator.")
    topology_spread_constraints: Annotated[tuple[Free, ...], Field(max_length=4)] = Field(
        default=(), description="How the operator's replicas are spread; over nodes if empty."
    )
    pod_labels: Labels = Field(default={}, description="Further labels of the operator's pods.")
    pod_annotations: Annotations = Field(default={}, description="Further annotations of the operator's pods.")
    annotations: Annotations = Field(default={}, description="Annotations of the operator's Deployment.")
    extra_env: Annotated[tuple[Free, ...], Field(max_length=32)] = Field(
        default=(), description="Further environment of the operator."
    )
