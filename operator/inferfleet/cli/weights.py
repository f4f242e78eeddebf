"""`inferfleet fetch` and `inferfleet link`: from argv and environment to the fetch room."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from inferfleet.fetch.options import FetchOptions, LinkOptions, Proxies
from inferfleet.telemetry.logs import set_up

LOG_LEVEL = "info"


@dataclass(frozen=True, slots=True)
class FetchArguments:
    """What `inferfleet fetch` was given."""

    source: str
    revision: str
    endpoint: str
    cache: Path
    claim: Path
    resolve_only: bool
    ca_file: Path | None
    connections: int
    size_limit: int
    evict: bool
    in_use: tuple[str, ...]
    port: int
    secret: str = ""


def fetch_weights(given: FetchArguments) -> int:
    """Download, and return the exit status; the token and proxies come from the environment by name."""
    from inferfleet.fetch.run import run_fetch

    set_up(LOG_LEVEL)
    options = FetchOptions(
        source=given.source,
        revision=given.revision,
        endpoint=given.endpoint,
        cache=given.cache,
        claim=given.claim,
        resolve_only=given.resolve_only,
        token=os.environ.get("HF_TOKEN", ""),
        secret=given.secret,
        ca_file=given.ca_file,
        proxies=Proxies(_env("HTTPS_PROXY"), _env("HTTP_PROXY"), _env("NO_PROXY")),
        connections=given.connections,
        size_limit=given.size_limit,
        evict=given.evict,
        in_use=given.in_use,
        port=given.port,
    )
    return run_fetch(options)


def link_weights(source: str, weights: Path, commit: str, target: Path, config: Path | None) -> int:
    """Build the links, and return the exit status."""
    from inferfleet.fetch.link import run_link

    set_up(LOG_LEVEL)
    return run_link(LinkOptions(source=source, weights=weights, commit=commit, target=target, config=config))


def _env(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower()) or ""
