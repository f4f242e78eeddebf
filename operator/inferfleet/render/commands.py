"""Argv and environment of the steps that our own image runs in pods: `fetch` and `link`.

The one rule: the options are written here and nowhere else; each is one argument, and no secret is among them.
"""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig

PROGRESS_PORT = 8080
CACHE, CLAIM, WEIGHTS, MODELS, CONFIG, CA = "/cache", "/claim", "/weights", "/models", "/config", "/ca"
TOKEN_KEY, CA_KEY = "HF_TOKEN", "ca.crt"


@dataclass(frozen=True, slots=True)
class Fetch:
    """One download."""

    source: str
    revision: str
    resolve_only: bool = False
    size_limit: int = 0
    """Bytes that the volume may hold; 0: as much as its file system has."""
    evict: bool = False
    """The claim is the model's own: unused commits go when space is short."""
    in_use: tuple[str, ...] = ()
    """Commits that stay, as SOURCE-DIRECTORY/COMMIT."""
    port: int = 0
    """Port that shows progress; 0: none."""


def is_claim(source: str) -> bool:
    """Tell whether the weights lie on a claim already."""
    return source.startswith("pvc://")


def fetch(wanted: Fetch, config: FleetConfig, secret: str = "") -> list[str]:
    """Write the arguments of `inferfleet fetch`; `secret` is said by name where it holds no token."""
    found = ["fetch", f"--source={wanted.source}"]
    if is_claim(wanted.source):
        found.append(f"--claim={CLAIM}")
    else:
        found += _from_hub(wanted, config) + ([f"--secret={secret}"] if secret else [])
    return found + ([f"--port={wanted.port}"] if wanted.port else [])


def _from_hub(wanted: Fetch, config: FleetConfig) -> list[str]:
    found = [f"--revision={wanted.revision}", f"--endpoint={config.fetch.hub_endpoint}"]
    found += ["--resolve-only"] if wanted.resolve_only else [f"--cache={CACHE}"]
    found += [f"--ca-file={CA}/{CA_KEY}", f"--connections={config.fetch.connections}"]
    found += ["--evict", *(f"--in-use={name}" for name in wanted.in_use)] if wanted.evict else []
    return found + ([f"--size-limit={wanted.size_limit}"] if wanted.size_limit else [])


def link(source: str, commit: str, *, configured: bool) -> list[str]:
    """Write the arguments of `inferfleet link`."""
    found = ["link", f"--source={source}", f"--weights={WEIGHTS}", f"--target={MODELS}"]
    found += [] if is_claim(source) else [f"--commit={commit}"]
    return found + ([f"--config={CONFIG}"] if configured else [])


def fetch_environment(secret: str, config: FleetConfig) -> list[Json]:
    """Write the environment of `inferfleet fetch`: the hub's token by reference, and what the chart adds."""
    found: list[Json] = [{"name": "HOME", "value": "/tmp"}]  # noqa: S108 - the pod's own emptyDir
    found += [
        {"name": name, "value": value}
        for name, value in sorted(config.fetch.env.items())
        if name not in ("HOME", TOKEN_KEY)
    ]
    if secret:
        reference = {"name": secret, "key": TOKEN_KEY, "optional": True}
        found.append({"name": TOKEN_KEY, "valueFrom": {"secretKeyRef": reference}})
    return found


def ca_volume(secret: str) -> Json:
    """Write the volume with the hub's trust anchors; it is empty where the Secret has none."""
    items = [{"key": CA_KEY, "path": CA_KEY}]
    return {"name": "ca", "secret": {"secretName": secret, "items": items, "optional": True}}
