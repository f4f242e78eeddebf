"""Everything of a rig that can be found on a machine, whichever clone started it and whatever was killed since."""

from __future__ import annotations

from pathlib import Path

from e2e.rig import cgroups, footprint, network, processes, shell
from e2e.rig.settings import HOST_LINK, NODE_NETWORK, POD_NETWORK, STATE

CHECKED = (
    "processes (pid records, control group, network namespaces)",
    "mounts",
    "network namespaces, links, routes",
    "control groups",
    "sysctls, system directories, packet filter tables",
    f"state in {STATE}",
)


def leftovers() -> list[str]:
    """Describe each thing of a rig that is on this machine; empty when there is none."""
    before = footprint.recorded()
    return [
        *(f"process {pid}: {processes.command_line(pid)[:120]}" for pid in sorted(live_processes())),
        *(f"mount {point}" for point in mounts(_mountinfo())),
        *(f"network namespace {name}" for name in network.existing()),
        *([f"link {HOST_LINK}"] if network.host_link_exists() else []),
        *(f"route {line}" for line in routes(shell.run(["ip", "route"]))),
        *(f"control group {path}" for path in cgroups.roots()),
        *(before.differences(footprint.take()) if before else []),
        *([f"state {STATE}"] if STATE.exists() else []),
    ]


def live_processes() -> set[int]:
    """List the living processes of a rig, found in three ways so that the loss of one does not hide them."""
    by_record = {process.pid for process in processes.all_recorded() if process.alive}
    found = by_record | cgroups.processes() | network.processes()
    return {pid for pid in found if processes.start_time(pid) is not None}


def mounts(mountinfo: str) -> list[str]:
    """Pick the rig's mount points out of /proc/self/mountinfo, innermost first."""
    points = [line.split()[4] for line in mountinfo.splitlines() if line]
    namespaces = {str(network.DIRECTORY / name) for name in network.NAMESPACES}
    ours = [point for point in points if point in namespaces or Path(point).is_relative_to(STATE)]
    return sorted(ours, key=lambda point: (-point.count("/"), point))


def routes(text: str) -> list[str]:
    """Pick the rig's routes out of what `ip route` prints."""
    pod_prefix = POD_NETWORK.split("/")[0].rsplit(".", 2)[0] + "."
    node_prefix = NODE_NETWORK.split("/")[0].rsplit(".", 1)[0] + "."
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line.startswith((pod_prefix, node_prefix)) and f"dev {HOST_LINK}" in line]


def _mountinfo() -> str:
    return Path("/proc/self/mountinfo").read_text()
