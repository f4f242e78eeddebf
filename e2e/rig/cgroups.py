"""The rig's control groups: the mark that every process of the rig carries, and the roof over its containers.

The rule: a process belongs to the rig because it sits under our group, never because of its name.
Only cgroup v1 (hybrid) machines were tested; on v2 the same directories lie in the unified hierarchy.
"""

from __future__ import annotations

import time
from pathlib import Path

from e2e.rig.settings import CGROUP

MOUNT = Path("/sys/fs/cgroup")
SYSTEM = "system"
REQUIRED = ("cpu", "cpuset", "devices", "freezer", "memory", "pids")
REQUIRED_V2 = ("cpu", "cpuset", "memory", "pids")
_MARK_HIERARCHY = "pids"


def unified_only(mount: Path = MOUNT) -> bool:
    """Whether this machine has cgroup v2 alone."""
    return (mount / "cgroup.controllers").exists()


def missing_controllers(mount: Path = MOUNT) -> list[str]:
    """Name the controllers that containers need and this machine lacks."""
    if unified_only(mount):
        present = (mount / "cgroup.controllers").read_text().split()
        return [name for name in REQUIRED_V2 if name not in present]
    return [name for name in REQUIRED if not (mount / name).is_dir()]


def hierarchies(mount: Path = MOUNT) -> list[Path]:
    """List the hierarchies in which containers get groups."""
    if unified_only(mount):
        return [mount]
    return sorted(path for path in mount.iterdir() if path.is_dir() and path.name != "unified")


def roots(mount: Path = MOUNT) -> list[Path]:
    """List the rig's own top groups that exist now."""
    return [path for top in hierarchies(mount) if (path := top / CGROUP).is_dir()]


def mark(mount: Path = MOUNT) -> Path:
    """Where the rig's processes outside of containers are put, so that they can be found again."""
    top = mount if unified_only(mount) else mount / _MARK_HIERARCHY
    return top / CGROUP / SYSTEM


def create(node_names: list[str]) -> None:
    """Make the rig's groups; a cpuset needs its cpus and memory nodes before any task can enter."""
    for top in hierarchies():
        _enable_controllers(top)
        _make(top / CGROUP)
        _enable_controllers(top / CGROUP)
        for name in node_names:
            _make(top / CGROUP / name)
    _make(mark())


def processes(below: str = "") -> set[int]:
    """List the processes below our group (or below one of its children), as this pid namespace sees them."""
    found: set[int] = set()
    for top in roots():
        for file in (top / below).rglob("cgroup.procs"):
            found.update(_pids(file))
    return found


def container_processes(container_id: str) -> set[int]:
    """List the processes of one container: its group carries its id."""
    found: set[int] = set()
    for top in roots():
        for group in top.rglob(f"*{container_id}*"):
            found.update(_pids(group / "cgroup.procs"))
    return found


def remove(below: str = "", deadline_s: float = 5.0) -> None:
    """Remove our groups, leaves first, in every hierarchy; their processes must be gone or going."""
    end = time.monotonic() + deadline_s
    for top in roots():
        while not _remove_tree(top / below):
            if time.monotonic() > end:
                return
            time.sleep(0.02)


def _enable_controllers(group: Path) -> None:
    if unified_only():
        wanted = " ".join(f"+{name}" for name in REQUIRED_V2)
        (group / "cgroup.subtree_control").write_text(wanted)


def _make(group: Path) -> None:
    group.mkdir(exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):
        file, parent = group / name, group.parent / name
        if file.exists() and parent.exists() and not file.read_text().strip():
            file.write_text(parent.read_text())


def _pids(file: Path) -> list[int]:
    try:
        return [int(word) for word in file.read_text().split()]
    except OSError:
        return []  # the group went away while we looked


def _remove_tree(group: Path) -> bool:
    if not group.is_dir():
        return True
    for path in sorted((p for p in group.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts)):
        _try_rmdir(path)
    _try_rmdir(group)
    return not group.is_dir()


def _try_rmdir(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return  # still has a task or a child; the caller looks again
