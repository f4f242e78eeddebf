"""One rig at a time on a machine: a lock that leaves no file and cannot be left behind.

The lock is a name in the kernel's abstract socket namespace: its holder listens on it, the kernel frees it
with the process, and whoever finds it taken can ask the socket who holds it.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.rig.errors import RigError
from e2e.rig.processes import command_line

# Held while the rig is brought up or taken down, and while scenarios run on it.
NAME = "inferfleet-rig"
USE = "inferfleet-rig-in-use"


@contextmanager
def machine_lock(what: str, *, name: str = NAME, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the machine's rig lock; when another process has it, wait a while and then say who."""
    deadline = time.monotonic() + wait_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        while not _bind(listener, name):
            if time.monotonic() >= deadline:
                raise RigError(f"Cannot {what}: the rig is busy. {_holder(name)} Wait for it, or stop it first.")
            time.sleep(0.1)
        listener.listen()
        yield


def _bind(listener: socket.socket, name: str) -> bool:
    try:
        listener.bind(f"\0{name}")
    except OSError:
        return False
    return True


def _holder(name: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(f"\0{name}")
        except OSError:
            return "Its holder has just let go."
        credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid = struct.unpack("3i", credentials)[0]
    return f"Process {pid} holds it: `{command_line(pid)}` in {_directory(pid)}."


def _directory(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return "a directory that cannot be read"
