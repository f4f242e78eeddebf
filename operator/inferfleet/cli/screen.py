"""Where text goes: a terminal has a width and colours, what is piped or kept has neither.

The one rule: without a terminal nothing is wrapped, cut, padded or coloured, and every line ends.
"""

from __future__ import annotations

import sys
from io import StringIO

from rich.console import Console, RenderableType

WIDE = 1 << 20
"""More columns than any line that is shown."""


def is_terminal() -> bool:
    """Tell whether a person looks on."""
    return sys.stdout.isatty()


def show(*parts: RenderableType) -> None:
    """Print parts, one below the other."""
    if is_terminal():
        console = Console()
        for part in parts:
            console.print(part)
        return
    out = StringIO()
    console = Console(file=out, width=WIDE, color_system=None, force_terminal=False)
    for part in parts:
        console.print(part)
    # A table fills its last column with spaces.
    for line in out.getvalue().splitlines():
        print(line.rstrip())
