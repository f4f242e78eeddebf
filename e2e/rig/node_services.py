"""The programs that make a node: containerd, kubelet and kube-proxy, and how each is called."""

from __future__ import annotations

from pathlib import Path

from e2e.rig import pki
from e2e.rig.settings import STATE, NodeSpec

BIN = STATE / "bin"
PATH = f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin"
# In the order of their start.
SERVICES = ("containerd", "kubelet", "kube-proxy")


def command(node: NodeSpec, service: str) -> list[str]:
    """Build the command line of one of a node's services."""
    home = node.directory
    match service:
        case "containerd":
            return [str(BIN / "containerd"), "--config", str(home / "containerd.toml")]
        case "kubelet":
            return _kubelet(node, home)
        case "kube-proxy":
            return [str(BIN / "kube"), "kube-proxy", "--config", str(home / "kube-proxy.json")]
        case _:
            raise ValueError(f"No service {service!r} on a node; it has {', '.join(SERVICES)}.")


def log_name(node: NodeSpec, service: str) -> str:
    """Name the log of a service (without its ending)."""
    return f"{node.name}-{service}"


def _kubelet(node: NodeSpec, home: Path) -> list[str]:
    labels = ",".join(f"{key}={value}" for key, value in node.labels.items())
    flags = {
        "config": str(home / "kubelet.json"),
        "kubeconfig": str(pki.kubeconfig(node.name)),
        "hostname-override": node.name,
        "node-ip": node.ip,
        "node-labels": labels,
        "v": "2",
    }
    return [str(BIN / "kube"), "kubelet", *(f"--{name}={value}" for name, value in flags.items())]
