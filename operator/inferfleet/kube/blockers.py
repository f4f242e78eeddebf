"""Why a pod does not get on, read off its status: scheduling, images, crashes, downloads.

The one rule: each cause has its own reason, and the message names the node, the numbers and the telling line.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from inferfleet.api.base import Json
from inferfleet.fleet.replicas import Blocker
from inferfleet.fleet.text import public, telling_line
from inferfleet.fleet.weights import Outcome

IMAGE_TROUBLE = (
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
    "RegistryUnavailable", "SignatureValidationFailed",
)  # fmt: skip
START_TROUBLE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")


def blocker_of(raw: Json) -> Blocker | None:
    """Find what stands in a pod's way; None when nothing does."""
    status, node = raw.get("status", {}), raw.get("spec", {}).get("nodeName", "")
    if not node:
        return _unscheduled(status)
    if status.get("phase") == "Failed" and status.get("reason"):
        return Blocker(public(status["reason"], 64), public(f"{node}: {status.get('message', '')}"))
    return next((found for each in _containers(status) if (found := _container(each, node))), None)


def outcome_of(raw: Json) -> Outcome | None:
    """Read how a download ended from its container's termination message."""
    for container in _containers(raw.get("status", {})):
        for state in (container.get("state", {}), container.get("lastState", {})):
            outcome = parse_outcome(state.get("terminated", {}).get("message", ""))
            if outcome:
                return outcome
    return None


def parse_outcome(text: str) -> Outcome | None:
    """Read a termination message of a download; None if it is something else."""
    if not text.startswith("{"):
        return None
    try:
        return Outcome.model_validate_json(text)
    except ValidationError:
        return None


def _unscheduled(status: Json) -> Blocker | None:
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Blocker(condition.get("reason") or "Unschedulable", public(condition.get("message", ""), 512))
    return None


def _containers(status: Json) -> Iterator[Json]:
    yield from status.get("initContainerStatuses", ())
    yield from status.get("containerStatuses", ())


def _container(found: Json, node: str) -> Blocker | None:
    if found.get("ready"):
        return None
    waiting = found.get("state", {}).get("waiting", {})
    reason, message = waiting.get("reason", ""), public(waiting.get("message", ""))
    if reason in IMAGE_TROUBLE:
        return Blocker("ImagePullFailed", f"{node} cannot pull {found.get('image', 'the image')}: {message or reason}")
    if reason in START_TROUBLE:
        return Blocker("ContainerCannotStart", f"{found['name']} cannot start on {node}: {message or reason}")
    ended = found.get("state", {}).get("terminated") or found.get("lastState", {}).get("terminated")
    return _crash(found, ended, node) if ended and ended.get("exitCode") else None


def _crash(found: Json, ended: Json, node: str) -> Blocker:
    """Tell why a container ended: a download's own words, memory, or the telling line of its log."""
    outcome = parse_outcome(ended.get("message", ""))
    if outcome and not outcome.ok:
        return Blocker(
            outcome.reason or "DownloadFailed", f"The download on {node} failed: {public(outcome.message, 1024)}"
        )
    restarts = found.get("restartCount", 0)
    if ended.get("reason") == "OOMKilled":
        words = f"{found['name']} on {node} ran out of memory; raise spec.template.server.resources.limits.memory"
        return Blocker("OutOfMemory", f"{words} ({restarts} restarts).")
    line = telling_line(ended.get("message", "")) or "no log line"
    reason = "ModelLoadFailed" if found["name"] == "server" else "PreparationFailed"
    return Blocker(reason, f"{found['name']} on {node} ended with exit code {ended['exitCode']}: {line}")
