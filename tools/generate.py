"""Write every generated file of this repository, or say which of them is not what it should be.

    python -m tools.generate            # write
    python -m tools.generate --check    # exit status 1 if a file differs

The one rule: a file is generated whole; what is written by hand stands elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools import chart_files

ROOT = Path(__file__).resolve().parents[1]
CHART = "charts/inferfleet"
FILES: Mapping[str, Callable[[], str]] = {
    "crds/modeldeployments.inferfleet.dev.yaml": chart_files.crd_file,
    f"{CHART}/templates/crds/modeldeployments.inferfleet.dev.yaml": chart_files.crd_template,
    f"{CHART}/values.yaml": chart_files.values_file,
    f"{CHART}/values.schema.json": chart_files.schema_file,
}


def main(arguments: list[str]) -> int:
    """Write the files, or with --check only compare them."""
    stale = [name for name, text in FILES.items() if _read(ROOT / name) != text()]
    if "--check" in arguments:
        sys.stdout.write("".join(f"{name} is stale: run `make generate` and commit it.\n" for name in stale))
        return int(bool(stale))
    for name in stale:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(FILES[name](), "utf-8")
        sys.stdout.write(f"wrote {name}\n")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
