"""What must never be in the repository: hosts of package registries, paths of one machine, large files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from house.repository import ROOT, tracked

LARGEST = 1_000_000
# Written in parts, so that this file does not hold what it looks for.
REGISTRIES = [".".join(parts) for parts in (
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("proxy", "golang", "org"),
    ("sum", "golang", "org"), ("deb", "debian", "org"), ("ftp", "debian", "org"), ("crates", "io"),
    ("maven", "org"), ("index", "docker", "io"), ("archive", "ubuntu", "com"),
)]  # fmt: skip
PLACES = ["/".join(("", *parts, "")) for parts in (("work", "main"), ("work", "shared"), ("root", ".cache"))]
FORBIDDEN = re.compile("|".join(map(re.escape, [*REGISTRIES, *PLACES])))


def texts() -> list[Path]:
    return [path for path in tracked() if b"\0" not in path.read_bytes()[:8000]]


def findings(paths: list[Path]) -> list[str]:
    return [
        f"{path}:{number}: {found.group()}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (found := FORBIDDEN.search(line))
    ]


def test_no_file_names_a_package_registry_or_a_place_on_one_machine() -> None:
    assert findings(texts()) == []


@pytest.mark.parametrize("text", [*REGISTRIES, *PLACES])
def test_each_of_them_would_be_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"before\nsee https://x.{text} after\n")

    assert findings([path]) == [f"{path}:2: {text}"]


def test_no_large_file_is_committed() -> None:
    assert [str(path) for path in tracked() if path.stat().st_size > LARGEST] == []


def test_what_builds_leave_behind_is_ignored() -> None:
    left = {"__pycache__", ".venv", "dist", "build", ".coverage", ".hypothesis"}

    assert [path for path in tracked() if left & set(path.relative_to(ROOT).parts)] == []
