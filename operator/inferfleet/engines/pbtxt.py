"""Just enough of protobuf's text format to tell an ensemble from a model.

The one rule: it reads words at the top level and believes nothing else; the server is the judge of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_TOKEN = re.compile(r"""\#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[A-Za-z_][A-Za-z0-9_]*|[{}<>]|\S""", re.ASCII)


def is_ensemble(text: str) -> bool:
    """Tell whether a config.pbtxt describes an ensemble."""
    words = list(_top_level(text))
    if "ensemble_scheduling" in words:
        return True
    return any(word == "platform" and value[1:-1] == "ensemble" for word, value in pairwise(words))


def _top_level(text: str) -> Iterator[str]:
    depth = 0
    for word in _TOKEN.findall(text):
        if word in "{<":
            depth += 1
        elif word in "}>":
            depth -= 1
        elif depth == 0 and word != ":" and not word.startswith("#"):
            yield word
