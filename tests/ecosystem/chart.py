"""The chart, rendered by Helm's own engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from helm_python import Chart

from inferfleet.api.base import Json

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "charts" / "inferfleet"
CASES: Mapping[str, Json] = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text())
    for path in sorted((DIRECTORY / "ci").glob("*-values.yaml"))
}


@cache
def chart() -> Chart:
    """Load the chart once."""
    return Chart.load(str(DIRECTORY))


def files(values: Json, name: str = "inferfleet", namespace: str = "inferfleet-system") -> dict[str, str]:
    """Render every file of the chart."""
    return dict(chart().render(values, name=name, namespace=namespace))


def render(values: Json, name: str = "inferfleet", namespace: str = "inferfleet-system") -> list[Json]:
    """Render every object of the chart."""
    texts = [text for path, text in files(values, name, namespace).items() if path.endswith(".yaml")]
    return [found for text in texts for found in yaml.load_all(text, yaml.CSafeLoader) if found]


def of_kind(objects: list[Json], *kinds: str) -> list[Json]:
    """Choose the objects of some kinds."""
    return [found for found in objects if found["kind"] in kinds]


def the_only(objects: list[Json], kind: str) -> Json:
    """Find the one object of a kind."""
    (found,) = of_kind(objects, kind)
    return found


def config_of(objects: list[Json]) -> Json:
    """Read the operator's configuration out of its ConfigMap."""
    found: Json = yaml.load(the_only(objects, "ConfigMap")["data"]["config.yaml"], yaml.CSafeLoader)
    return found
