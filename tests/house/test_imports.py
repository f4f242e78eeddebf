"""Each import contract is kept by the package, and broken by an import that it is there to refuse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from house.repository import ROOT

PURE = ("api", "fleet", "engines", "plan", "render")
ROOMS = (*PURE, "kube", "serving", "fetch", "telemetry", "reconcile", "handlers", "cli")
ABOVE = {
    "api": ("fleet",),
    "fleet": ("engines",),
    "engines": ("plan",),
    "plan": ("render", "kube", "serving", "fetch", "telemetry"),
    "render": ("kube", "serving", "fetch", "telemetry", "reconcile"),
    "kube": ("render", "reconcile"),
    "serving": ("kube", "reconcile"),
    "fetch": ("serving", "reconcile"),
    "telemetry": ("fetch", "reconcile"),
    "reconcile": ("handlers", "cli"),
}
OUTSIDE = (
    *("kopf", "kubernetes", "jinja2", "tritonclient", "grpc", "aiohttp", "prometheus_client", "asyncio", "threading"),
    *("socket", "subprocess", "time", "random", "logging", "os"),
)


@cache
def contracts() -> dict[str, dict[str, Any]]:
    """Read the contracts by their names."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {contract["name"]: contract for contract in found}


FORBIDDEN = sorted(
    (name, source.removeprefix("inferfleet."), module)
    for name, contract in contracts().items()
    if contract["type"] == "forbidden"
    for source in contract["source_modules"]
    for module in contract["forbidden_modules"]
)


def lint(package: Path) -> str:
    """Run import-linter over a copy of the package with our contracts."""
    (package / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    argv = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(package / "operator"), "COLUMNS": "400"}
    done = subprocess.run(argv, cwd=package, env=environment, capture_output=True, text=True, check=False)
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return done.stdout


def copied(directory: Path) -> Path:
    """Copy the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "operator" / "inferfleet", directory / "operator" / "inferfleet", ignore=ignored)
    return directory


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Lint a copy in which every room imports everything that some contract refuses it."""
    package = copied(tmp_path_factory.mktemp("broken"))
    for room in ROOMS:
        inside = [f"import inferfleet.{other}" for other in ABOVE.get(room, ())]
        outside = [f"import {module}" for module in OUTSIDE]
        (package / "operator" / "inferfleet" / room / "violation.py").write_text("\n".join([*inside, *outside, ""]))
    return lint(package)


def test_the_package_keeps_every_contract(tmp_path: Path) -> None:
    said = lint(copied(tmp_path))

    assert f"Contracts: {len(contracts())} kept, 0 broken." in said


def test_every_contract_can_be_broken(broken: str) -> None:
    assert f"Contracts: 0 kept, {len(contracts())} broken." in broken


@pytest.mark.parametrize(("room", "above"), [(room, other) for room in ABOVE for other in ABOVE[room]])
def test_no_room_imports_one_above_or_beside_it(room: str, above: str, broken: str) -> None:
    assert re.search(rf"inferfleet\.{room}\.violation -> inferfleet\.{above}\b", broken)


@pytest.mark.parametrize(("contract", "room", "module"), FORBIDDEN)
def test_a_forbidden_module_is_refused_to_each_room(contract: str, room: str, module: str, broken: str) -> None:
    part = broken.split(f"\n{contract}\n", 1)[1]

    assert re.search(rf"inferfleet\.{room}\.violation -> {module}\b", part)


def test_a_new_room_needs_a_place_in_the_order(tmp_path: Path) -> None:
    package = copied(tmp_path)
    (package / "operator" / "inferfleet" / "utils").mkdir()
    (package / "operator" / "inferfleet" / "utils" / "__init__.py").write_text("")

    said = lint(package)

    assert "Imports only go down BROKEN" in said
    assert "utils" in said


def test_the_clients_of_others_stay_in_their_rooms() -> None:
    """The contracts name the rooms one by one: none may be forgotten."""
    allowed = {
        "kopf": {"handlers"},
        "kubernetes": {"kube"},
        "jinja2": {"render"},
        "tritonclient": {"render", "serving"},
    }
    for module, rooms in allowed.items():
        refused = {room for name, room, forbidden in FORBIDDEN if forbidden == module}
        assert refused == set(ROOMS) - rooms, module
