"""`inferfleet fetch` as a process of its own, for tests that kill it or bound it: `python step.py OPTION=VALUE ...`.

It prints, as JSON, its exit status and the most memory that it had above what its imports took, in KiB.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from inferfleet.fetch.layout import MARKER
from inferfleet.fetch.options import FetchOptions
from inferfleet.fetch.run import run_fetch

PATHS = {"cache", "termination_message", "claim", "ca_file"}
NUMBERS = {"connections", "port", "size_limit", "result_wait"}


def main(arguments: list[str]) -> int:
    """Read the options, obey what the test asks of the process, fetch."""
    given = dict(argument.split("=", 1) for argument in arguments)
    if limit := given.pop("largest_file", ""):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    dying = given.pop("die_before_marker", "")
    fields: dict[str, Any] = {name: _value(name, text) for name, text in given.items()}
    before = _memory("VmRSS")
    with patch.object(Path, "rename", _die_at_the_marker) if dying else nullcontext():
        status = run_fetch(FetchOptions(**fields))
    grown = _memory("VmHWM") - before
    sys.stdout.write(json.dumps({"status": status, "grown": grown}))
    return status


def _memory(what: str) -> int:
    """Read a figure of this process in KiB; getrusage would still show the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{what}:")).split()[1])


def _value(name: str, text: str) -> object:
    if name in PATHS:
        return Path(text)
    return int(text) if name in NUMBERS else text


def _die_at_the_marker(path: Path, target: Path) -> Path:
    """Be killed between the marker's content and its name."""
    if target.name == MARKER:
        os.kill(os.getpid(), 9)
    path.replace(target)
    return target


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
