"""Looking at the machine: the facts that `preconditions` judges."""

from __future__ import annotations

import ipaddress
import os
import platform
import re
import shutil
import sys
from pathlib import Path

from e2e.rig import binaries, cache, cgroups, debian, shell
from e2e.rig.leftovers import routes
from e2e.rig.preconditions import Machine
from e2e.rig.settings import NODE_NETWORK, POD_NETWORK, SERVICE_NETWORK, STATE

_GIB = 2**30


def look() -> Machine:
    """Gather everything that decides whether the rig can run here."""
    table = shell.run(["ip", "route"]) if shutil.which("ip") else ""
    return Machine(
        uid=os.geteuid(),
        system=platform.system(),
        python=sys.version_info[:2],
        go=go_version(shell.attempt(["go", "env", "GOVERSION"]).out) if shutil.which("go") else None,
        needs_go=any(binaries.find(module) is None for module in binaries.REQUIRED),
        missing_controllers=cgroups.missing_controllers(),
        unified_cgroups=cgroups.unified_only(),
        has_apt=shutil.which("apt-get") is not None,
        missing_packages=debian.missing(),
        memory_gb=available_memory_gb(Path("/proc/meminfo").read_text()),
        state_disk_gb=_free_gb(STATE),
        cache_disk_gb=_free_gb(cache.root()),
        cache_directory=str(cache.root()),
        taken_routes=taken(table),
    )


def go_version(text: str) -> tuple[int, int] | None:
    """Read `go env GOVERSION`."""
    match = re.match(r"go(\d+)\.(\d+)", text.strip())
    return (int(match[1]), int(match[2])) if match else None


def available_memory_gb(meminfo: str) -> float:
    """Read how much memory programs can still take."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 / _GIB if match else 0.0


def taken(table: str) -> list[str]:
    """Pick the routes of others that overlap with the rig's addresses out of what `ip route` prints."""
    ours = [ipaddress.ip_network(text) for text in (NODE_NETWORK, POD_NETWORK, SERVICE_NETWORK)]
    own = set(routes(table))
    lines = [line.strip() for line in table.splitlines() if line.strip()]
    return [line for line in lines if line not in own and _overlaps(line.split()[0], ours)]


def _overlaps(destination: str, ours: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        network = ipaddress.ip_network(destination)
    except ValueError:
        return False  # "default", "unreachable" and the like
    return any(network.overlaps(own) for own in ours)


def _free_gb(path: Path) -> float:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / _GIB
