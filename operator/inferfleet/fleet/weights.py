"""What a download found: the shape of the repository, its models, and how the download ended.

The one rule: this is the contract between the download Job that writes it and the operator that reads it; a field is
added, never changed, and everything in it came from outside and is bounded here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Shape = Literal["triton", "checkpoint", "gguf", "unknown"]
Short = Annotated[str, Field(max_length=253)]
Bytes = Annotated[int, Field(ge=0)]


class Wire(BaseModel):
    """A value that crosses from the Job's pod to the operator; unknown fields of a newer Job are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RepositoryModel(Wire):
    """One model of a Triton repository."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]
    versions: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=64)] = ()
    files: Annotated[tuple[Short, ...], Field(max_length=32)] = ()
    """Names of the files of the newest version, for example `model.onnx`."""
    config: Annotated[str, Field(max_length=65_536)] | None = None
    """Text of its config.pbtxt; None when the repository has none."""
    probe: Annotated[str, Field(max_length=16_384)] | None = None
    """Text of its inferfleet-probe.json; None when the repository has none."""


class Repository(Wire):
    """What was found, served at `/result` of the Job's progress port."""

    commit: Short
    """Commit of an `hf://` source, or digest of a `pvc://` source's listing."""
    shape: Shape
    total_bytes: Bytes = 0
    files: Annotated[int, Field(ge=0)] = 0
    licence: Short = ""
    models: Annotated[tuple[RepositoryModel, ...], Field(max_length=256)] = ()
    listing: Annotated[tuple[Short, ...], Field(max_length=32)] = ()
    """The first files of the source, to say what was found when it is no Triton repository."""


class Progress(Wire):
    """How far a download is, served at `/progress`."""

    bytes_done: Bytes = 0
    bytes_total: Bytes = 0
    files_done: Annotated[int, Field(ge=0)] = 0
    files_total: Annotated[int, Field(ge=0)] = 0
    bytes_per_second: Bytes = 0
    """Mean of the last minute."""


class Outcome(Wire):
    """How a download ended: the container's termination message, at most 4,096 bytes of JSON."""

    ok: bool
    reason: Annotated[str, Field(max_length=64)] = ""
    """CamelCase when it failed: HubUnauthorized, LicenceNotAccepted, SourceNotFound, RevisionNotFound,
    ChecksumMismatch, DiskFull, ConnectionLost, HubUnavailable, ClaimUnreadable, SourceEmpty."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """What happened and what to do, fit for anyone to see."""
    commit: Short = ""
    bytes_downloaded: Bytes = 0
    """Bytes that came over the network in this run; less than the total after a resume."""
