"""The rig's networks: one namespace for the control plane with a bridge, one per node, one link to the machine."""

from __future__ import annotations

from pathlib import Path

from e2e.rig import shell
from e2e.rig.settings import (
    BRIDGE,
    CONTROL_IP,
    CONTROL_NETNS,
    HOST_IP,
    HOST_LINK,
    NODES,
    NodeSpec,
)

DIRECTORY = Path("/run/netns")
NAMESPACES = (CONTROL_NETNS, *(node.netns for node in NODES))


def create() -> None:
    """Build all namespaces, links and routes."""
    _ip("netns add", CONTROL_NETNS)
    _ip(f"-n {CONTROL_NETNS} link set lo up")
    _ip(f"-n {CONTROL_NETNS} link add {BRIDGE} type bridge")
    _ip(f"-n {CONTROL_NETNS} addr add {CONTROL_IP}/24 dev {BRIDGE}")
    _ip(f"-n {CONTROL_NETNS} link set {BRIDGE} up")
    _forward(CONTROL_NETNS)
    _ip(f"link add {HOST_LINK} type veth peer name host netns {CONTROL_NETNS}")
    _ip(f"-n {CONTROL_NETNS} link set host master {BRIDGE} up")
    _ip(f"addr add {HOST_IP}/24 dev {HOST_LINK}")
    _ip(f"link set {HOST_LINK} up")
    for node in NODES:
        _create_node(node)


def existing() -> list[str]:
    """Name the rig's network namespaces that exist."""
    return [name for name in NAMESPACES if (DIRECTORY / name).exists()]


def processes() -> set[int]:
    """List the processes in the rig's network namespaces."""
    found: set[int] = set()
    for name in existing():
        answer = shell.attempt(["ip", "netns", "pids", name])
        found.update(int(word) for word in answer.out.split())
    return found


def host_link_exists() -> bool:
    """Whether the machine's end of the link is there."""
    return Path(f"/sys/class/net/{HOST_LINK}").exists()


def remove() -> None:
    """Delete every namespace and link of the rig; what is in them goes with them."""
    for name in existing():
        if not shell.succeeds(["ip", "netns", "del", name]):
            # A name whose namespace was never mounted, or was unmounted by hand: only a file is left.
            shell.attempt(["umount", "-l", str(DIRECTORY / name)])
            (DIRECTORY / name).unlink(missing_ok=True)
    if host_link_exists():
        _ip("link del", HOST_LINK)


def remove_directory() -> None:
    """Remove the directory of named namespaces, which `ip netns` makes and mounts, if nobody else uses it."""
    if DIRECTORY.is_dir() and not any(DIRECTORY.iterdir()):
        # Path.is_mount() does not see a directory that is mounted on itself, and `ip netns` makes just that.
        while any(line.split()[4] == str(DIRECTORY) for line in Path("/proc/self/mountinfo").read_text().splitlines()):
            shell.run(["umount", str(DIRECTORY)])
        DIRECTORY.rmdir()


def _create_node(node: NodeSpec) -> None:
    inside = f"-n {node.netns}"
    _ip("netns add", node.netns)
    _ip(f"link add {node.veth} netns {CONTROL_NETNS} type veth peer name eth0 netns {node.netns}")
    _ip(f"-n {CONTROL_NETNS} link set {node.veth} master {BRIDGE} up")
    _ip(f"{inside} link set lo up")
    _ip(f"{inside} addr add {node.ip}/24 dev eth0")
    _ip(f"{inside} link set eth0 up")
    _ip(f"{inside} route add default via {CONTROL_IP}")
    _forward(node.netns)
    _ip(f"-n {CONTROL_NETNS} route add {node.pod_cidr} via {node.ip}")
    _ip(f"route replace {node.pod_cidr} via {node.ip} dev {HOST_LINK}")
    for other in NODES:
        if other != node:
            _ip(f"{inside} route add {other.pod_cidr} via {other.ip}")


def _forward(netns: str) -> None:
    shell.run(shell.in_netns(netns, ["sysctl", "-qw", "net.ipv4.ip_forward=1"]))


def _ip(words: str, *more: str) -> None:
    shell.run(["ip", *words.split(), *more])
