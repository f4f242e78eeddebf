"""`inferfleet crds`, `render` and `lint`: what needs no cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from inferfleet.api.base import KIND, Json
from inferfleet.api.config import FleetConfig, Images, ProductClass
from inferfleet.api.crd import crd
from inferfleet.api.parse import Problem, parse_spec
from inferfleet.errors import SpecError
from inferfleet.plan import accept

SAMPLE = FleetConfig(
    namespace="inferfleet-system",
    images=Images(operator="inferfleet:latest", triton="nvcr.io/nvidia/tritonserver:26.07-py3"),
    classes=(
        ProductClass(name="H100-80GB", products=("NVIDIA-H100-80GB-HBM3",), memory_mib=81559),
        ProductClass(name="A100-80GB", products=("NVIDIA-A100-SXM4-80GB",), memory_mib=81920),
    ),
)


def print_crds() -> None:
    """Print the CustomResourceDefinition as YAML."""
    print(yaml.safe_dump(crd(), sort_keys=False), end="")


def lint_file(path: Path, config: Path | None) -> int:
    """Print every problem of a file's models; return 1 if there is one."""
    found = 0
    for raw in models(path):
        name = raw.get("metadata", {}).get("name", "?")
        for problem in _problems(raw, _config(config)):
            print(f"{path}: {name}: {problem}")
            found += 1
    print(f"{path}: {found} problem{'s' * (found != 1)} found." if found else f"{path}: no problem found.")
    return 1 if found else 0


def _problems(raw: Json, config: FleetConfig) -> tuple[Problem, ...]:
    spec = parse_spec(raw)
    return spec if isinstance(spec, tuple) else accept.problems(spec, config)


def render_file(path: Path, config: Path | None) -> int:
    """Print the children of a file's models as they would be made; return 1 if a model is refused."""
    from inferfleet.cli.assumed import as_stored, assumptions, rendered
    from inferfleet.reconcile.observe import subject_from

    chosen, status = _config(config), 0
    for raw in models(path):
        problems = _problems(raw, chosen)
        if problems:
            for problem in problems:
                print(f"{path}: {problem}", file=sys.stderr)
            status = 1
            continue
        subject = subject_from(as_stored(raw))
        print(assumptions(subject, chosen))
        print(yaml.safe_dump_all(rendered(subject, chosen), sort_keys=False, explicit_start=True), end="")
    return status


def models(path: Path) -> Iterator[Json]:
    """Read the ModelDeployments of a file, or of standard input."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
        documents = list(yaml.safe_load_all(text))
    except OSError as error:
        raise SpecError("FileUnreadable", f"{path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise SpecError("NotYaml", f"{path} is no YAML: {_where(error)}.") from error
    found = [each for each in documents if isinstance(each, dict) and each.get("kind") == KIND]
    if not found:
        raise SpecError("NoModels", f"{path} holds no {KIND}; write `kind: {KIND}`.")
    yield from found


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark else "it cannot be read"


def _config(path: Path | None) -> FleetConfig:
    if path is None:
        return SAMPLE
    return FleetConfig.model_validate_json(json.dumps(yaml.safe_load(path.read_text("utf-8"))))
