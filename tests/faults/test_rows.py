"""The table of faults: every row has a test whose name says so, and the table says where.

The one rule: nothing here runs a test; it reads names.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"test_row((?:_\d\d)+)_(?!\d\d?_)")
ROW = re.compile(r"^\| (\d\d) \| [^|]+ \| (P|F|P F) \| ([^|]+) \|$", re.MULTILINE)
REQUIRED = {1, 2, *range(7, 35), 36, *range(44, 48)}
"""What the fault matrix asks of these layers at least."""


def files_by_row(tests: Path) -> dict[int, set[str]]:
    """Collect the files that hold tests of each row, from the names of their functions."""
    found: dict[int, set[str]] = defaultdict(set)
    for file in sorted(tests.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_row"):
                named = NAMED.match(node.name)
                assert named is not None, f"{file.name}: {node.name} does not name its rows in two digits each"
                for row in named[1][1:].split("_"):
                    found[int(row)].add(str(file.relative_to(tests)))
    return dict(found)


def table() -> dict[int, set[str]]:
    """Read the table of the page next to this file."""
    page = (TESTS / "faults" / "README.md").read_text()
    return {int(row): set(re.findall(r"`([^`]+)`", files)) for row, _, files in ROW.findall(page)}


def test_every_row_that_is_asked_for_has_a_test() -> None:
    assert REQUIRED - files_by_row(TESTS).keys() == set()


def test_the_table_names_the_tests_of_every_row() -> None:
    assert table() == files_by_row(TESTS)


def test_a_row_is_read_off_a_name_and_a_name_without_digits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("async def test_row_22_26_after_a_gap() -> None: ...\n")

    assert files_by_row(tmp_path) == {22: {"test_one.py"}, 26: {"test_one.py"}}

    (tmp_path / "test_two.py").write_text("def test_row_7_of_two() -> None: ...\n")

    with pytest.raises(AssertionError, match="test_row_7_of_two does not name"):
        files_by_row(tmp_path)
