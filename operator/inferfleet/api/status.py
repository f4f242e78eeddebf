"""`status` of a ModelDeployment: conditions and what they rest on.

The one rule: whole numbers with their unit in the name, stable words, nothing that changes while nothing happens.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inferfleet.api.base import Frozen

ConditionType = Literal[
    "Ready", "Available", "Reconciling", "Stalled", "Accepted", "Cached", "Scheduled", "UpdateAvailable"
]
ConditionStatus = Literal["True", "False", "Unknown"]
Name = Annotated[str, Field(max_length=253)]
Sentence = Annotated[str, Field(max_length=2048)]
Whole = Annotated[int, Field(ge=0)]
Time = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]


class Condition(Frozen):
    """One truth about the model."""

    type: ConditionType = Field(description="What the truth is about.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="One word for machines.")
    message: Sentence = Field(description="One sentence for people, with numbers and what to do.")
    observed_generation: Whole = Field(description="The metadata.generation that this was said of.")
    last_transition_time: Time = Field(description="When status last changed.")


class PlanStatus(Frozen):
    """What was chosen for the revision that serves, or will."""

    engine: Name = Field(default="", description="The model server.")
    image: Annotated[str, Field(max_length=512)] = Field(default="", description="Its image.")
    model: Name = Field(default="", description="The model that is probed and scaled on.")
    revision: Name = Field(default="", description="The commit or digest that the source was resolved to.")
    product: Name = Field(default="", description="The GPU class.")
    gpus: Whole = Field(default=0, description="GPUs of one replica.")
    tensor_parallel: Whole = Field(default=1, description="GPUs that share each layer.")
    pipeline_parallel: Whole = Field(default=1, description="Groups of layers.")
    weights_mib: Whole = Field(default=0, description="Size of the weights, in MiB.")
    memory_per_gpu_mib: Whole = Field(default=0, description="Memory needed on each GPU, in MiB; 0 if not known.")
    cache: Name = Field(default="", description="Where the weights are kept: PVC, Pod or Source, and the claim.")
    licence: Name = Field(default="", description="The licence that the source names.")
    why: Sentence = Field(default="", description="Why it was chosen so.")


class DownloadStatus(Frozen):
    """How far the download is; absent when nothing is being downloaded."""

    bytes_done: Whole = Field(description="Bytes on disk.")
    bytes_total: Whole = Field(description="Bytes in all; 0 if not known yet.")
    seconds_left: Whole = Field(default=0, description="Estimate from the last minute; 0 if not known.")
    observed_at: Time = Field(description="When this was seen; renewed once a minute at most.")


class RolloutStatus(Frozen):
    """The revision change that is running, or the last one."""

    strategy: Name = Field(default="", description="Surge or Replace.")
    why: Sentence = Field(default="", description="Why this strategy.")
    from_revision: Name = Field(default="", alias="from", description="The revision that served.")
    to_revision: Name = Field(default="", alias="to", description="The revision that is to serve.")
    step: Sentence = Field(default="", description="The step that was taken last, or what it waits for.")
    last_progress: Time | None = Field(default=None, description="When something last moved on.")


class Summary(Frozen):
    """Text for columns."""

    replicas: Name = Field(default="", description="Serving and wanted replicas: `2/3`.")
    gpus: Name = Field(default="", description="GPUs of one replica and their class: `2xH100-80GB`.")


class ModelDeploymentStatus(Frozen):
    """What the operator sees and does."""

    observed_generation: Annotated[int, Field(ge=-1)] = Field(
        default=-1, description="The metadata.generation that this status speaks of; -1 before the first look."
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = Field(
        default=(), description="Truths about the model; Ready repeats the first that fails."
    )
    replicas: Whole | None = Field(default=None, description="Replicas that exist, for the scale subresource.")
    ready_replicas: Whole | None = Field(default=None, description="Replicas that serve.")
    selector: Sentence | None = Field(
        default=None, description="Label selector of the pods, for the scale subresource."
    )
    summary: Summary | None = Field(default=None, description="Text for columns.")
    plan: PlanStatus | None = Field(default=None, description="What was chosen.")
    download: DownloadStatus | None = Field(default=None, description="How far the download is.")
    rollout: RolloutStatus | None = Field(default=None, description="The revision change that is running.")
    endpoint: Sentence | None = Field(default=None, description="Where the model answers inside the cluster.")
