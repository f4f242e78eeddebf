"""`inferfleet fetch` and `inferfleet link`: from argv and environment to the fetch room."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from inferfleet.fetch.options import FetchOptions, LinkOptions, Proxies
from inferfleet.telemetry.logs import set_up

LOG_LEVEL = "info"


def fetch_weights(options: FetchOptions) -> int:
    """Download, and return the exit status; the token and proxies come from the environment by name."""
    from inferfleet.fetch.run import run_fetch

    set_up(LOG_LEVEL)
    proxies = Proxies(_env("HTTPS_PROXY"), _env("HTTP_PROXY"), _env("NO_PROXY"))
    return run_fetch(replace(options, token=os.environ.get("HF_TOKEN", ""), proxies=proxies))


def link_weights(source: str, weights: Path, commit: str, target: Path, config: Path | None) -> int:
    """Build the links, and return the exit status."""
    from inferfleet.fetch.link import run_link

    set_up(LOG_LEVEL)
    return run_link(LinkOptions(source=source, weights=weights, commit=commit, target=target, config=config))


def _env(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower()) or ""
