"""A rig that was killed is found and cleared, whatever is left of it: `python -m e2e.rig check-killed`.

The rule: each way of dying ends with a healthy rig that was started over what was left, and the last one with
`down` and nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable

from e2e.rig import lifecycle, network, processes, shell
from e2e.rig.leftovers import leftovers, live_processes
from e2e.rig.lock import USE, machine_lock
from e2e.rig.settings import PYTHON, REPOSITORY, STATE
from e2e.rig.watch import eventually

_UP = [PYTHON, "-c", "from e2e.rig import lifecycle; lifecycle.up(holding=True)"]


def run() -> None:
    """Die in every way and come back; then go down for good and come up once more."""
    with machine_lock("kill the rig", name=USE):
        for die in (everything_at_once, records_lost, control_plane_and_names, while_starting):
            die_and_return(die)
        everything_at_once()
        lifecycle.down(holding=True)
        assert leftovers() == []
        lifecycle.up(holding=True)


def die_and_return(die: Callable[[], None]) -> None:
    """Die in one way and be healthy again."""
    lifecycle.up(holding=True)
    began = time.monotonic()
    die()
    found = leftovers()
    assert found, "nothing was left, so nothing was proven"
    assert lifecycle.sick(), "a killed rig calls itself healthy"
    lifecycle.up(holding=True)
    assert lifecycle.sick() == []
    print(f"{die.__name__}: {len(found)} things left, healthy again after {time.monotonic() - began:.1f} s\n")


def everything_at_once() -> None:
    """Kill every process; mounts, namespaces, control groups and containerd's files stay."""
    while alive := live_processes():
        processes.end(alive)
    assert network.existing(), "the namespaces went too"


def records_lost() -> None:
    """Leave every process alive, and take away all that says which they are."""
    shutil.rmtree(processes.RUN)
    (STATE / "rig.json").unlink()
    assert live_processes(), "no process was left"


def control_plane_and_names() -> None:
    """Kill the control plane, and the names of the namespaces that the nodes live on in."""
    for name in ("etcd", "apiserver", "kcm", "scheduler"):
        processes.stop(name)
    for name in network.existing():
        shell.run(["ip", "netns", "del", name])
    assert live_processes(), "no process was left"


def while_starting() -> None:
    """Kill `up` itself once the API server runs."""
    lifecycle.down(holding=True)
    with subprocess.Popen(_UP, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as starting:
        eventually("the API server", _apiserver_runs, within_s=60)
        starting.kill()
    assert not (STATE / "rig.json").exists(), "it was killed too late"


def _apiserver_runs() -> bool:
    record = processes.recorded("apiserver")
    return bool(record and record.alive)
