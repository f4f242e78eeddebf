"""What a machine must have before the rig touches it. Everything that is wrong is said in one message.

Pure: facts about the machine come in, problems go out, each with what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e.rig.settings import NODE_NETWORK, POD_NETWORK, SERVICE_NETWORK

MIN_PYTHON = (3, 11)
MIN_GO = (1, 26)
MIN_MEMORY_GB = 8.0
MEMORY_ROOT_GB = 14.0
MIN_STATE_GB = 8.0
MIN_CACHE_GB = 14.0
MIN_WARM_CACHE_GB = 2.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What was seen of a machine."""

    uid: int
    system: str
    python: tuple[int, int]
    # None where there is no Go at all.
    go: tuple[int, int] | None
    # Whether something still has to be compiled here.
    needs_go: bool
    missing_controllers: list[str]
    unified_cgroups: bool
    has_apt: bool
    missing_packages: list[str]
    memory_gb: float
    state_disk_gb: float
    cache_disk_gb: float
    cache_directory: str
    # Routes of others that lie in the rig's address ranges.
    taken_routes: list[str]


def problems(machine: Machine) -> list[str]:
    """Say everything that keeps the rig from running here."""
    return [*_system(machine), *_programs(machine), *_room(machine), *_addresses(machine)]


def warnings(machine: Machine) -> list[str]:
    """Say what may go wrong but need not."""
    found = []
    if machine.unified_cgroups:
        found.append("This machine has cgroup v2 only: the rig uses the unified hierarchy, which is untested.")
    if machine.memory_gb < MEMORY_ROOT_GB:
        found.append(f"{machine.memory_gb:.0f} GB of memory are available: images go to disk, which makes `up` slower.")
    return found


def message(found: list[str]) -> str:
    """Write all problems as one text."""
    return "\n".join(["The rig cannot run on this machine yet:", *(f"  - {problem}" for problem in found)])


def _system(machine: Machine) -> list[str]:
    found = []
    if machine.system != "Linux":
        found.append(f"It runs {machine.system}; the rig needs Linux.")
    if machine.uid != 0:
        found.append("You are not root: run it as root (network namespaces, mounts and control groups need it).")
    if machine.missing_controllers:
        names = ", ".join(machine.missing_controllers)
        found.append(f"Control group controllers are missing: {names}. Boot a kernel that has them enabled.")
    return found


def _programs(machine: Machine) -> list[str]:
    found = []
    if machine.python < MIN_PYTHON:
        found.append(f"Python is {_dotted(machine.python)}: use {_dotted(MIN_PYTHON)} or later.")
    if machine.needs_go and machine.go is None:
        found.append(f"Go is not on PATH: install Go {_dotted(MIN_GO)} or later.")
    elif machine.needs_go and machine.go and machine.go < MIN_GO:
        found.append(f"Go is {_dotted(machine.go)}: install {_dotted(MIN_GO)} or later.")
    if machine.missing_packages and not machine.has_apt:
        names = " ".join(machine.missing_packages)
        found.append(f"apt-get is not there: install what Debian calls {names} by hand.")
    return found


def _room(machine: Machine) -> list[str]:
    found = []
    if machine.memory_gb < MIN_MEMORY_GB:
        found.append(f"{machine.memory_gb:.1f} GB of memory are available: {MIN_MEMORY_GB:g} GB are needed.")
    if machine.state_disk_gb < MIN_STATE_GB:
        found.append(f"{machine.state_disk_gb:.1f} GB are free in /var/lib: {MIN_STATE_GB:g} GB are needed.")
    needed = MIN_CACHE_GB if machine.needs_go else MIN_WARM_CACHE_GB
    if machine.cache_disk_gb < needed:
        found.append(
            f"{machine.cache_disk_gb:.1f} GB are free in {machine.cache_directory}: {needed:g} GB are needed "
            "(set XDG_CACHE_HOME to a larger disk)."
        )
    return found


def _addresses(machine: Machine) -> list[str]:
    ranges = f"{NODE_NETWORK}, {POD_NETWORK} and {SERVICE_NETWORK}"
    return [
        f"The route `{route}` lies in the rig's addresses ({ranges}): remove it, or run on another machine."
        for route in machine.taken_routes
    ]


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(str(part) for part in version)
