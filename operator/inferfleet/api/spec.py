"""`spec` of a ModelDeployment: only fields that this version enforces.

The one rule: what CEL refuses, pydantic refuses too, with the same words; `RULES` holds both sides together.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from inferfleet.api.base import (
    DnsLabel,
    DnsSubdomain,
    Frozen,
    LocalObjectReference,
    Outage,
    Quantity,
    Rule,
    is_unique,
)
from inferfleet.api.template import PodTemplate

SOURCE_PATTERN = (
    r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]*)*"
    r"|pvc://[a-z0-9]([a-z0-9-]*[a-z0-9])?(/[A-Za-z0-9_][A-Za-z0-9._-]*)*)$"
)
Source = Annotated[str, StringConstraints(pattern=SOURCE_PATTERN, min_length=7, max_length=512)]
Revision = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$", min_length=1, max_length=128)
]
ServedName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", min_length=1, max_length=128)]
Image = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9][a-z0-9._:-]*(/[a-z0-9][a-z0-9._-]*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$",
        min_length=1,
        max_length=512,
    ),
]
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", min_length=1, max_length=64)]
OptionValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:,=/+ -]*$", max_length=256)]
Options = Annotated[dict[OptionName, OptionValue], Field(max_length=32)]
ProductName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", min_length=1, max_length=63)]
EngineType = Literal["triton"]
CacheType = Literal["Auto", "PVC", "Pod"]
Egress = Literal["Deny", "Allow"]


class Model(Frozen):
    """Which weights are served."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.source.startsWith('pvc://') || !has(self.revision)",
            "revision is for hf:// sources; a claim has none: remove revision",
            lambda model: not (model.source.startswith("pvc://") and model.revision),
        ),
        Rule(
            "!self.source.startsWith('pvc://') || !has(self.secretRef)",
            "secretRef is for hf:// sources; a claim needs no credentials: remove secretRef",
            lambda model: not (model.source.startswith("pvc://") and model.secret_ref),
        ),
    )

    source: Source = Field(
        description="Where the weights come from: `hf://ORG/REPOSITORY[/FOLDER]` (a Hugging Face hub or its mirror) "
        "or `pvc://CLAIM[/FOLDER]` (a claim of the same namespace, served in place)."
    )
    revision: Revision | None = Field(
        default=None,
        description="Branch, tag or commit of an `hf://` source; `main` if unset. It is resolved once to a commit and "
        "recorded in status.plan.revision; a branch that moves later starts no rollout. Quote it.",
    )
    name: ServedName | None = Field(
        default=None,
        description="Which model of the repository is probed and scaled on. Default: the only one, or the only "
        "ensemble. It must be the name of a folder of the repository.",
    )
    secret_ref: LocalObjectReference | None = Field(
        default=None,
        description="Secret with credentials for the source, handed to the download by reference and never read by "
        "the operator. Keys: HF_TOKEN, ca.crt.",
    )


class Engine(Frozen):
    """Which server runs the model."""

    type: EngineType | None = Field(
        default=None,
        description="The model server. Default: chosen from the source; `triton` is the one available.",
    )
    image: Image | None = Field(
        default=None,
        description="Image of the model server instead of the chart's. It is recorded per revision: a newer chart "
        "restarts nothing.",
    )
    options: Options = Field(
        default={},
        description='Options of the server without their leading dashes, for example `http-thread-count: "16"`. '
        "Passed as separate arguments, never through a shell; options that inferfleet owns are refused.",
    )


class Gpu(Frozen):
    """Which GPUs one replica takes."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.count) || self.count > 0 || !has(self.products) || size(self.products) == 0",
            "count 0 runs on CPUs and takes no product: remove products, or set count to 1 or more",
            lambda gpu: gpu.count != 0 or not gpu.products,
        ),
        Rule(
            "!has(self.products) || self.products.all(a, self.products.exists_one(b, b == a))",
            "products must not name a class twice; remove one",
            lambda gpu: is_unique(gpu.products),
        ),
    )

    products: Annotated[tuple[ProductName, ...], Field(max_length=8)] = Field(
        default=(),
        description="Names of GPU classes from the chart's values, most wanted first. Default: any class, in the "
        "chart's order.",
    )
    count: Annotated[int, Field(ge=0, le=16)] | None = Field(
        default=None,
        description="GPUs of one replica, all on one node; 0 runs on CPUs. Default: the smallest power of two whose "
        "memory holds the weights.",
    )


class Rollout(Frozen):
    """How one revision replaces another."""

    outage: Outage = Field(
        default="Ask",
        description="`Ask`: the last ready replica is never taken away without consent. `Allow`: it may be, when no "
        "GPU is free for its replacement.",
    )
    drain_timeout_seconds: Annotated[int, Field(ge=1, le=7200)] = Field(
        default=540,
        description="How long a replica may finish running requests, in seconds. Above 575 the whole grace period "
        "passes the 600 seconds that node autoscalers allow.",
    )
    progress_deadline_seconds: Annotated[int, Field(ge=60, le=86400)] | None = Field(
        default=None,
        description="Seconds without progress after which the model counts as stalled. Default: 1800, or the start-up "
        "budget of large weights if that is longer.",
    )
    paused: bool = Field(default=False, description="Hold the next step of a rollout; serving goes on.")


class Cache(Frozen):
    """Where the weights are kept."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.claim) || !has(self.type) || self.type != 'Pod'",
            "type Pod downloads into each pod and uses no claim: remove claim, or set type to PVC",
            lambda cache: not (cache.claim and cache.type == "Pod"),
        ),
        Rule(
            "!has(self.claim) || !has(self.size)",
            "a given claim has its own size: remove size, or remove claim to have one made",
            lambda cache: not (cache.claim and cache.size),
        ),
        Rule(
            "!has(self.claim) || !has(self.whenDeleted) || self.whenDeleted == 'Retain'",
            "a given claim is never deleted: remove whenDeleted, or remove claim to have one made",
            lambda cache: not (cache.claim and cache.when_deleted == "Delete"),
        ),
    )

    type: CacheType = Field(
        default="Auto",
        description="`PVC`: one claim that all nodes mount, filled once. `Pod`: each pod downloads for itself, works "
        "on any cluster. `Auto`: a given claim, else the chart's shared storage class, else `Pod`.",
    )
    claim: DnsLabel | None = Field(
        default=None, description="An existing claim of the same namespace that many nodes can mount."
    )
    size: Quantity | None = Field(
        default=None, description="Size of the claim that is made, or of each pod's volume. It can only grow."
    )
    when_deleted: Literal["Retain", "Delete"] = Field(
        default="Retain",
        description="What becomes of a claim that inferfleet made when the model is deleted.",
    )


class Access(Frozen):
    """Who reaches the model and whom it reaches."""

    egress: Egress | None = Field(
        default=None,
        description="`Deny` (the default): serving pods reach nobody, DNS included. `Allow`: they reach everybody.",
    )


class Limits(Frozen):
    """What the model may take."""

    priority_class: DnsSubdomain | None = Field(
        default=None, description="PriorityClass of the serving pods; new pods take it, running ones stay."
    )


class ModelDeploymentSpec(Frozen):
    """A model to serve."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.model.source.startsWith('pvc://') || !has(self.cache) || (!has(self.cache.claim) && "
            "!has(self.cache.size) && (!has(self.cache.type) || self.cache.type == 'Auto'))",
            "a pvc:// source is served in place and needs no cache: remove cache.type, cache.claim and cache.size",
            lambda spec: (
                not spec.model.source.startswith("pvc://")
                or (spec.cache.type == "Auto" and spec.cache.claim is None and spec.cache.size is None)
            ),
        ),
        Rule(
            "!has(self.cache) || !has(self.cache.type) || self.cache.type != 'Pod' || !has(self.access) || "
            "!has(self.access.egress) || self.access.egress != 'Deny'",
            "cache.type Pod downloads from the serving pods, which access.egress Deny forbids: "
            "remove egress, or set cache.type to PVC",
            lambda spec: not (spec.cache.type == "Pod" and spec.access.egress == "Deny"),
        ),
    )

    model: Model = Field(description="Which weights are served.")
    engine: Engine = Field(default=Engine(), description="Which server runs the model.")
    gpu: Gpu = Field(default=Gpu(), description="Which GPUs one replica takes.")
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None,
        description="How many replicas serve; 1 if unset. The operator never writes it. Set it where something else "
        "scales the model: an autoscaler and `kubectl get --subresource=scale` fail on a model that leaves it out.",
    )
    rollout: Rollout = Field(default=Rollout(), description="How one revision replaces another.")
    cache: Cache = Field(default=Cache(), description="Where the weights are kept.")
    access: Access = Field(default=Access(), description="Who reaches the model and whom it reaches.")
    limits: Limits = Field(default=Limits(), description="What the model may take.")
    suspend: bool = Field(default=False, description="Run no replica; weights and settings are kept.")
    template: PodTemplate = Field(
        default=PodTemplate(),
        description="What else the pods need: the one escape hatch, a typed allow-list.",
    )
