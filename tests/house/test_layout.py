"""The house rules that no linter knows: where a package may be, and how long anything may get."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from house.repository import ROOT, sources

LONGEST_FUNCTION = 50
LONGEST_MODULE = 300
ROOMS = ("operator", "e2e", "tools")


def test_operator_is_a_directory_and_never_a_package() -> None:
    """A package of that name would stand before the standard library's, and Python would not start."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert list((ROOT / "operator").glob("*.py")) == []
    assert not (ROOT / "tests" / "operator").exists()


def test_no_function_is_longer_than_a_screen() -> None:
    assert list(long_functions(sources(*ROOMS))) == []


def test_no_module_is_longer_than_can_be_read_at_once() -> None:
    assert list(long_modules(sources(*ROOMS))) == []


def test_what_is_too_long_is_found(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    body = "\n".join("    x = 1" for _ in range(LONGEST_FUNCTION))
    path.write_text(f"class A:\n  async def f():\n{body}\n" + "\n" * LONGEST_MODULE)

    assert list(long_functions([path])) == [f"{path}: f has 51 lines"]
    assert len(list(long_modules([path]))) == 1


def test_every_module_of_the_product_says_what_lives_in_it() -> None:
    silent = [str(path) for path in sources(*ROOMS) if not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


def long_functions(paths: Iterable[Path]) -> Iterator[str]:
    """Name every function that has too many lines, from its `def` to its end."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    yield f"{path}: {node.name} has {lines} lines"


def long_modules(paths: Iterable[Path]) -> Iterator[str]:
    """Name every module that has too many lines."""
    for path in paths:
        if (lines := len(path.read_text().splitlines())) >= LONGEST_MODULE:
            yield f"{path}: {lines} lines"
