"""The little that must be known of a config.pbtxt: its scalar fields at the top.

The one rule: pure and forgiving; what cannot be read is not there, and Triton is the judge of the rest.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""\#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[{}\[\]<>:]|[A-Za-z_][A-Za-z0-9_]*|[^\s{}\[\]<>:"'\#]+"""
)
_OPEN = frozenset("{[<")
_CLOSE = frozenset("}]>")


def scalars(text: str) -> dict[str, str]:
    """Return the fields at the top that hold one value, strings without their quotes; the last of a name wins."""
    found: dict[str, str] = {}
    depth, before = 0, ["", ""]
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token.startswith("#"):
            continue
        depth += (token in _OPEN) - (token in _CLOSE)
        if depth == 0 and before[1] == ":" and token not in _CLOSE:
            found[before[0]] = token.strip("\"'")
        before = [before[1], token]
    return found
