"""`inferfleet run`: from argv to the operator process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from inferfleet.cli.config import load_config
from inferfleet.cli.lean import pass_by


@dataclass(frozen=True, slots=True)
class RunArguments:
    """What `inferfleet run` was given."""

    config: Path
    identity: str
    host: str
    port: int
    log_level: str
    kubeconfig: str


def run_operator(given: RunArguments) -> int:
    """Run the operator until it ends; return its exit status."""
    pass_by()
    from inferfleet.handlers.process import RunOptions, run
    from inferfleet.telemetry.logs import set_up

    set_up(given.log_level)
    config = load_config(given.config)
    options = RunOptions(config, given.identity, given.port, given.kubeconfig or None, host=given.host or None)
    return asyncio.run(run(options))
