"""The part of `make test` that needs a rig: real API server contracts, ecosystem tools, a real Triton, all scenarios.

The one rule: every step runs even if one before it failed, and the exit status is 0 only if all passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from e2e.rig import Rig, RigError
from e2e.rig.images import triton_local
from e2e.rig.settings import PYTHON


def main() -> int:
    """Run every step, and say how each ended."""
    begun = time.monotonic()
    try:
        rig = Rig.up()
    except RigError as error:
        print(error, flush=True)
        return 1
    triton_local.install()
    environment = {**os.environ, "INFERFLEET_KUBECONFIG": str(rig.kubeconfig)}
    steps = {
        "contracts on the real API server": ["-m", "pytest", "-q", "-m", "contract", "tests"],
        "a real Triton": ["-m", "pytest", "-q", "-m", "triton", "tests"],
        "the rig's policy enforcer, packet by packet": ["-m", "e2e.rig.netpol.packets"],
        "scenarios": ["-m", "e2e.scenarios"],
        "a rig that was killed in every way, found and cleared": ["-m", "e2e.rig", "check-killed"],
    }
    failed = [name for name, argv in steps.items() if not _passes(name, argv, environment)]
    _say(f"{len(steps) - len(failed)} of {len(steps)} steps passed in {time.monotonic() - begun:.0f} s")
    for name in failed:
        _say(f"FAILED: {name}")
    return 1 if failed else 0


def _passes(name: str, argv: list[str], environment: dict[str, str]) -> bool:
    _say(f"== {name}")
    return subprocess.run([PYTHON, *argv], env=environment, check=False).returncode == 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
