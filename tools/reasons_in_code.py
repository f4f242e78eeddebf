"""Finds every reason that the code says, where reasons are made.

The one rule: only the arguments that are reasons are looked at, so that no other word is taken for one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REASON = re.compile(r"^[A-Z][a-z0-9]+([A-Z][a-z0-9]*)*$")
ROOMS = ("engines", "fetch", "kube", "plan", "reconcile", "render", "serving")
PLACES = {
    "Truth": 1,
    "Refusal": 0,
    "Blocker": 0,
    "Verdict": 0,
    "DeletePod": 2,
    "Announce": 1,
    "SpecError": 0,
    "NotReadyYet": 0,
    "FetchError": 0,
    "TritonError": 0,
}
"""Which argument of a call is the reason. A KubeError's own is never shown: the verdict names it anew."""
NAMED = ("reason", "waits")
"""Variables and keywords that hold a reason."""
NEVER_SHOWN = {"False", "True"}


def reasons(package: Path) -> set[str]:
    """List the reasons that the package can say."""
    found: set[str] = set()
    for room in ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            found |= set(_said(ast.parse(path.read_text("utf-8"))))
    return found - NEVER_SHOWN


def _said(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _in_call(node)
        elif isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in NAMED for t in node.targets):
            yield from _words(node.value)


def _in_call(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    place = PLACES.get(name)
    if place is not None and len(call.args) > place:
        yield from _words(call.args[place])
    for keyword in call.keywords:
        if keyword.arg in NAMED:
            yield from _words(keyword.value)


def _words(node: ast.expr) -> Iterator[str]:
    """Yield the words that an expression may be: also those of `a or "B"` and of `"A" if x else "B"`."""
    if isinstance(node, ast.IfExp):
        yield from _words(node.body)
        yield from _words(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _words(value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and REASON.match(node.value):
        yield node.value
