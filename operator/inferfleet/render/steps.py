"""Containers that run our own image: the download and the link.

The one rule: they run the image's own entry point, locked in like every container, with a bounded memory.
"""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.fleet import names
from inferfleet.render import commands
from inferfleet.render.security import container_security

TMP = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - the pod's own emptyDir


def link_step(source: str, commit: str, config: FleetConfig, *, configured: bool) -> Json:
    """Build the repository of links that the server loads."""
    mounts: list[Json] = [
        {"name": "weights", "mountPath": commands.WEIGHTS, "readOnly": True},
        {"name": "models", "mountPath": commands.MODELS},
        TMP,
    ]
    if not commands.is_claim(source):
        mounts[0]["subPath"] = names.source_directory(source)
    if configured:
        mounts.append({"name": "config", "mountPath": commands.CONFIG, "readOnly": True})
    argv = commands.link(source, commit, configured=configured)
    return step("link", argv, mounts, config, memory=("64Mi", "256Mi"))


def fetch_step(wanted: commands.Fetch, secret: str, mounts: list[Json], config: FleetConfig) -> Json:
    """Download, or look at, the weights."""
    if secret:
        mounts = [*mounts, {"name": "ca", "mountPath": commands.CA, "readOnly": True}]
    found = step("fetch", commands.fetch(wanted, config, secret), [*mounts, TMP], config, memory=("256Mi", "1Gi"))
    return found | {"env": commands.fetch_environment(secret, config)}


def step(name: str, argv: list[str], mounts: list[Json], config: FleetConfig, memory: tuple[str, str]) -> Json:
    """Run our image with these arguments; `memory` is what it asks for and the most that it gets."""
    return {
        "name": name,
        "image": config.images.operator,
        "imagePullPolicy": config.images.pull_policy,
        "args": argv,
        "resources": {"requests": {"cpu": "50m", "memory": memory[0]}, "limits": {"memory": memory[1]}},
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
