"""Requirements are pinned, hashed, and the same in every place that names them."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from house.repository import ROOT, sources

DIRECTORY = ROOT / "requirements"
NAME = r"^([A-Za-z0-9._-]+(?:\[[a-z,]+\])?)==([^ ;\\]+)[^\\]*\\\n"
HASHES = r"((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
PIN = re.compile(NAME + HASHES, re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Read a compiled file: each package, its version, and that it has hashes."""
    text = (DIRECTORY / name).read_text()
    found: dict[str, str] = {
        canonicalize_name(package.split("[")[0]): version for package, version, _ in PIN.findall(text)
    }
    assert len(found) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)), f"{name} has a line without hashes"
    return found


def asked(path: Path) -> dict[str, Requirement]:
    """Read a file of what is asked for."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(each.name): each for each in found}


def project() -> dict[str, Requirement]:
    found = map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    return {canonicalize_name(each.name): each for each in found}


def test_the_image_has_what_the_package_asks_for() -> None:
    assert asked(DIRECTORY / "run.in").keys() == project().keys()
    for name, requirement in project().items():
        assert requirement.specifier.contains(pins("run.txt")[name]), name


@pytest.mark.parametrize("name", ["run", "dev"])
def test_a_compiled_file_has_every_package_that_was_asked_for(name: str) -> None:
    compiled = pins(f"{name}.txt")
    for package, requirement in asked(DIRECTORY / f"{name}.in").items():
        assert requirement.specifier.contains(compiled[package]), package


def test_tests_run_with_the_versions_that_are_shipped() -> None:
    run, dev = pins("run.txt"), pins("dev.txt")

    assert {package: dev.get(package) for package in run} == run


def test_the_operator_imports_only_what_it_asks_for() -> None:
    known = packages_distributions()
    needed = {name.split("[")[0] for name in project()}
    missing = {
        (module, path.name)
        for path in sources("operator")
        for module in _imported(path)
        if module not in sys.stdlib_module_names and module not in ("inferfleet", "google")
        if not {canonicalize_name(found) for found in known.get(module, ())} & (needed | COMES_WITH.keys())
    }

    assert missing == set()


COMES_WITH = {
    "pydantic-core": "pydantic",
    "grpcio": "tritonclient[grpc]",
    "yarl": "aiohttp",
    "protobuf": "tritonclient",
}
"""Packages that are imported under their own name and come with one that is asked for."""


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found
