"""The operator's configuration as a file: that of a cluster, or what the chart writes where nobody sets a value.

The one rule: what is wrong with a file is one line, which says what the file should be and how to get it.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from pydantic import ValidationError

from inferfleet.api.config import FleetConfig
from inferfleet.errors import SpecError

DEFAULTS = Path(__file__).with_name("defaults.yaml")
"""Generated from the chart, so that what works without a cluster knows the same classes and images."""
FROM_A_CLUSTER = "kubectl -n inferfleet-system get configmap inferfleet -o jsonpath='{.data.config\\.yaml}'"
_ORIGIN = f"It should be the operator's configuration, which `{FROM_A_CLUSTER}` prints."


def load_config(path: Path) -> FleetConfig:
    """Read the operator's configuration, or say what is wrong with it."""
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
        if not isinstance(found, dict):
            raise SpecError("ConfigInvalid", f"{path}: it is empty or no map. {_ORIGIN}")
        return FleetConfig.model_validate_json(json.dumps(found, default=str))
    except OSError as error:
        raise SpecError("ConfigUnreadable", f"{path} cannot be read: {error.strerror}. {_ORIGIN}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError("ConfigInvalid", f"{path} is no YAML{yaml_line(error)}. {_ORIGIN}") from error
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        where = ".".join(map(str, first["loc"]))
        more = f" ({len(others)} more)" if others else ""
        raise SpecError("ConfigInvalid", f"{path}: {where}: {first['msg']}{more}. {_ORIGIN}") from error


def yaml_line(error: Exception) -> str:
    """Say in which line YAML ends to make sense, where that is known."""
    mark = getattr(error, "problem_mark", None)
    return f": line {mark.line + 1}" if mark else ""
