"""Starting and ending the rig's own processes.

The rule: a process is ended only by a pid that we recorded with its start time, or because it sits in the
rig's control group or in one of its network namespaces. No process is ever looked up by name.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e.rig import cgroups, shell
from e2e.rig.errors import RigError
from e2e.rig.settings import STATE

RUN = STATE / "run"
LOG = STATE / "log"

# Enters the rig's group, starts the program in a session of its own and prints its pid. The program becomes
# a child of init (the machine's or the node's), so that nobody has to wait for it.
_LAUNCH = 'echo 0 >"$1/cgroup.procs"; log=$2; shift 2; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!'


@dataclass(frozen=True, slots=True)
class Process:
    """A process as we recorded it: the start time tells it from a later owner of the same pid."""

    name: str
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def start(name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Process:
    """Start a process of the rig in the background and record it."""
    running = recorded(name)
    if running and running.alive:
        raise RigError(f"{name} is already running (pid {running.pid}).")
    pid = int(shell.run(launcher(name, argv), env=env))
    process = Process(name, pid, start_time(pid) or 0)
    RUN.mkdir(parents=True, exist_ok=True)
    (RUN / f"{name}.json").write_text(json.dumps(asdict(process)))
    return process


def launcher(name: str, argv: Sequence[str | Path]) -> list[str]:
    """Build the argv that starts a program in the background and prints its pid."""
    LOG.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in argv]
    return ["sh", "-c", _LAUNCH, "launch", str(cgroups.mark()), str(LOG / f"{name}.log"), *words]


def recorded(name: str) -> Process | None:
    """Read the record of a process, whether it still lives or not."""
    file = RUN / f"{name}.json"
    try:
        return Process(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None  # never started, or its record was cut short by the end of its writer


def all_recorded() -> list[Process]:
    """Read every record."""
    names = [file.stem for file in sorted(RUN.glob("*.json"))]
    return [process for name in names if (process := recorded(name))]


def running(name: str) -> Process:
    """Return a process that must be running."""
    process = recorded(name)
    if process is None or not process.alive:
        raise RigError(f"{name} is not running; see `python -m e2e.rig status`.")
    return process


def stop(name: str, sig: signal.Signals = signal.SIGKILL) -> None:
    """End a recorded process, wait until it is gone and forget it; nothing happens if it is not there."""
    process = recorded(name)
    if process and process.alive:
        end({process.pid}, sig)
    (RUN / f"{name}.json").unlink(missing_ok=True)


def end(pids: Iterable[int], sig: signal.Signals = signal.SIGKILL, patience_s: float = 10.0) -> None:
    """Send a signal to processes and wait until all are gone; SIGKILL follows when patience ends."""
    waiting = {pid: started for pid in pids if (started := start_time(pid)) is not None}
    _signal(waiting, sig)
    deadline = time.monotonic() + patience_s
    while waiting := {pid: started for pid, started in waiting.items() if start_time(pid) == started}:
        if time.monotonic() > deadline:
            _signal(waiting, signal.SIGKILL)
            deadline = time.monotonic() + patience_s
        time.sleep(0.01)


def start_time(pid: int) -> int | None:
    """Read when a process started (clock ticks since boot); None for one that has ended, reaped or not."""
    try:
        return started(Path(f"/proc/{pid}/stat").read_text())
    except OSError:
        return None


def started(stat: str) -> int | None:
    """Read the start time out of /proc/PID/stat, None for what has ended.

    A machine's init may reap late, so a zombie has ended, whatever /proc says; but while other threads are
    left, a dead first thread shows as a zombie too, and its sockets and files are still open.
    """
    fields = stat.rpartition(")")[2].split()
    state, threads, start = fields[0], int(fields[17]), int(fields[19])
    return None if state == "X" or (state == "Z" and threads <= 1) else start


def command_line(pid: int) -> str:
    """Read a process's command line, empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    """List the direct children of a process."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _signal(pids: Iterable[int], sig: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            continue  # it went by itself
