"""`inferfleet run`: from argv to the operator process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from inferfleet.api.config import FleetConfig
from inferfleet.cli.lean import pass_by
from inferfleet.errors import SpecError


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


def load_config(path: Path) -> FleetConfig:
    """Read the operator's configuration, or say what is wrong with it."""
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
        return FleetConfig.model_validate_json(_as_json(raw))
    except OSError as error:
        raise SpecError("ConfigUnreadable", f"{path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise SpecError("ConfigInvalid", f"{path} is no YAML.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SpecError("ConfigInvalid", f"{path}: {where}: {first['msg']}.") from error


def _as_json(raw: object) -> str:
    import json

    return json.dumps(raw)
