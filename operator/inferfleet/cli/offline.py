"""`inferfleet crds`, `render` and `lint`: what needs no cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from inferfleet.api.base import KIND, Json
from inferfleet.api.crd import crd
from inferfleet.cli.config import DEFAULTS, FROM_A_CLUSTER, load_config, yaml_line
from inferfleet.cli.lint import problems
from inferfleet.errors import SpecError

CHECKED = (
    "checked against the chart's default values, since no --config was given; "
    f"`{FROM_A_CLUSTER}` prints a cluster's own."
)


def print_crds() -> None:
    """Print the CustomResourceDefinition as YAML."""
    print(yaml.safe_dump(crd(), sort_keys=False), end="")


def lint_file(path: Path, config: Path | None) -> int:
    """Print every problem of a file's models; return 1 if there is one."""
    chosen, found, by_cluster = load_config(config or DEFAULTS), 0, 0
    for raw in models(path):
        wrong, refused = problems(raw, chosen)
        for problem in (*wrong, *refused):
            print(f"{path}: {_name(raw)}: {problem}")
        found += len(wrong) + len(refused)
        by_cluster += len(refused)
    if by_cluster and config is None:
        print(f"{path}: {CHECKED}")
    print(f"{path}: {found} problem{'s' * (found != 1)} found." if found else f"{path}: no problem found.")
    return 1 if found else 0


def _name(raw: Json) -> object:
    metadata = raw.get("metadata")
    return metadata.get("name", "?") if isinstance(metadata, dict) else "?"


def render_file(path: Path, config: Path | None) -> int:
    """Print the children of a file's models as they would be made; return 1 if a model is refused."""
    from inferfleet.cli.assumed import as_stored, assumptions, rendered
    from inferfleet.reconcile.observe import subject_from

    chosen, status = load_config(config or DEFAULTS), 0
    for raw in models(path):
        wrong, refused = problems(raw, chosen)
        if wrong or refused:
            for problem in (*wrong, *refused):
                print(f"{path}: {_name(raw)}: {problem}", file=sys.stderr)
            if refused and config is None:
                print(f"{path}: {CHECKED}", file=sys.stderr)
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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError("NotYaml", f"{path} is no YAML{yaml_line(error)}.") from error
    found = [each for each in documents if isinstance(each, dict) and each.get("kind") == KIND]
    if not found:
        raise SpecError("NoModels", f"{path} holds no {KIND}; write `kind: {KIND}`.")
    yield from found
