"""Write every generated file of this repository, or say which of them is not what it should be.

    python -m tools.generate            # write
    python -m tools.generate --check    # exit status 1 if a file differs

The one rule: a file is generated whole; what is written by hand stands elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools import chart_files, reference_api, reference_chart, reference_cli, reference_code

ROOT = Path(__file__).resolve().parents[1]
CHART = "charts/inferfleet"
PAGES = "docs/reference"
FILES: Mapping[str, Callable[[], str]] = {
    "crds/modeldeployments.inferfleet.dev.yaml": chart_files.crd_file,
    f"{CHART}/templates/crds/modeldeployments.inferfleet.dev.yaml": chart_files.crd_template,
    f"{CHART}/values.yaml": chart_files.values_file,
    f"{CHART}/values.schema.json": chart_files.schema_file,
    f"{CHART}/README.md": reference_chart.readme,
    "operator/inferfleet/cli/defaults.yaml": reference_chart.defaults_file,
    f"{PAGES}/api.md": reference_api.api_page,
    f"{PAGES}/chart-values.md": reference_chart.values_page,
    f"{PAGES}/permissions.md": reference_chart.permissions_page,
    f"{PAGES}/reasons.md": reference_code.reasons_page,
    f"{PAGES}/metrics.md": reference_code.metrics_page,
    f"{PAGES}/cli.md": reference_cli.cli_page,
}


def main(arguments: list[str]) -> int:
    """Write the files, or with --check only compare them."""
    try:
        # One after another: the pages of the chart are made of the chart's files.
        return max(_one(name, check="--check" in arguments) for name in FILES)
    except ValueError as error:
        sys.stdout.write(f"{error}\n")
        return 1


def _one(name: str, *, check: bool) -> int:
    path, text = ROOT / name, FILES[name]()
    if _read(path) == text:
        return 0
    if check:
        sys.stdout.write(f"{name} is stale: run `make generate` and commit it.\n")
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    sys.stdout.write(f"wrote {name}\n")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
