"""The rig proves itself: every lever is pulled once, and what the cluster made of it is said in seconds.

`python -m e2e.rig check [NAME ...]`. The rule: a check fails loudly, and puts back what it changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from e2e.rig.errors import RigError
from e2e.rig.rig import Rig
from e2e.rig.selfcheck import cluster, nodes, workload

CHECKS: dict[str, Callable[[Rig], str]] = {
    "plain": cluster.plain,
    "gpu": nodes.gpu,
    "fill": nodes.fill,
    "marks": nodes.marks,
    "limit": nodes.limit,
    "cut": nodes.cut,
    "cut-api": nodes.cut_api,
    "kubelet": nodes.kubelet,
    "power": nodes.power,
    "inside": cluster.inside,
    "rights": cluster.rights,
    "disk": cluster.disk,
    "control": cluster.control,
    "tokens": cluster.tokens,
}


def run(rig: Rig, names: list[str]) -> int:
    """Run checks and print one line for each; return how many failed."""
    if unknown := [name for name in names if name not in CHECKS]:
        raise RigError(f"No check {', '.join(unknown)}; there are {', '.join(CHECKS)}.")
    failed = 0
    with rig.held("check the rig"), workload.running(rig):
        for name in names or CHECKS:
            began = time.monotonic()
            try:
                seen, word = CHECKS[name](rig), "ok"
            except (AssertionError, RigError, OSError) as error:
                seen, word, failed = str(error), "FAILED", failed + 1
            print(f"{name:<8} {word:<6} {time.monotonic() - began:5.1f} s  {seen}", flush=True)
    return failed
