"""Which links make a repository that a server can load, from the models that lie on a disk.

The one rule: pure; a generated config goes before the repository's own, and every name has passed `inspection`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from inferfleet.errors import FetchError
from inferfleet.fetch import inspection
from inferfleet.fetch.inspection import CONFIG, Found, Survey


@dataclass(frozen=True, slots=True)
class Repository:
    """What the target should hold: a directory for each model, links in it, and empty versions of ensembles."""

    models: frozenset[str]
    links: Mapping[str, Path]
    """`MODEL/ENTRY` and where it leads."""
    versions: frozenset[str]
    """`MODEL/1` to be made, empty."""


@dataclass(frozen=True, slots=True)
class Disk:
    """What lies on the disk."""

    weights: Path
    entries: Mapping[str, tuple[str, ...]]
    """Names in each model directory, by the directory's path below `weights`."""
    configs: Mapping[str, str]
    """Text of the repository's own configs, by their path below `weights`."""
    generated: Mapping[str, tuple[Path, str]]
    """Path and text of generated configs, by the model's name."""


def check_survey(seen: Survey) -> Survey:
    """Return what was seen if it is a Triton repository."""
    if seen.shape != "triton":
        what = ", ".join(seen.listing[:5]) or "nothing"
        raise FetchError(
            "SourceUnusable",
            f"The weights are no Triton repository (found: {what}). Name a source with MODEL/config.pbtxt or "
            "MODEL/1/... in it.",
        )
    return seen


def plan_links(models: Iterable[Found], disk: Disk) -> Repository:
    """Say what the target should hold."""
    names: set[str] = set()
    links: dict[str, Path] = {}
    versions: set[str] = set()
    for model in models:
        own = disk.configs.get(model.path(CONFIG), "")
        name = inspection.rename(model, own).name
        generated, text = disk.generated.get(name, (None, own))
        names.add(name)
        for entry in disk.entries[model.directory]:
            links[f"{name}/{entry}"] = disk.weights / model.path(entry)
        if generated is not None:
            links[f"{name}/{CONFIG}"] = generated
        if not model.versions:
            versions.update(f"{name}/{version}" for version in inspection.implied(text))
    return Repository(frozenset(names), links, frozenset(versions))
