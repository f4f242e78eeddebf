"""Names, addresses and versions of the rig. Nothing here does anything: other modules read it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = sys.executable

KUBERNETES = "1.36.3"
CONTAINERD = "2.4.2"
COREDNS = "1.15.0"

STATE = Path("/var/lib/inferfleet-rig")
CGROUP = "inferfleet-rig"
REGISTRY = "registry.rig.local"
BASE_IMAGE = f"{REGISTRY}/python:3.11-slim"

CONTROL_NETNS = "rig0"
BRIDGE = "rigbr"
HOST_LINK = "rig-host"
NODE_NETWORK = "172.30.0.0/24"
CONTROL_IP = "172.30.0.1"
HOST_IP = "172.30.0.254"
API_PORT = 6443
API_URL = f"https://{CONTROL_IP}:{API_PORT}"
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
SERVICE_IP = "10.96.0.1"
DNS_IP = "10.96.0.10"
GPUS_PER_NODE = 8


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node: everything about it follows from its number, and its GPUs."""

    number: int
    product: str
    memory_mib: int

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def netns(self) -> str:
        return f"rig{self.number}"

    @property
    def veth(self) -> str:
        return f"n{self.number}"

    @property
    def ip(self) -> str:
        return f"172.30.0.{10 + self.number}"

    @property
    def pod_cidr(self) -> str:
        return f"10.244.{self.number}.0/24"

    @property
    def directory(self) -> Path:
        return STATE / self.name

    @property
    def labels(self) -> dict[str, str]:
        return {
            "nvidia.com/gpu.product": self.product,
            "nvidia.com/gpu.count": str(GPUS_PER_NODE),
            "nvidia.com/gpu.memory": str(self.memory_mib),
            "topology.kubernetes.io/zone": f"zone-{self.number}",
        }


NODES = (
    NodeSpec(1, "NVIDIA-H100-80GB-HBM3", 81559),
    NodeSpec(2, "NVIDIA-A100-SXM4-80GB", 81920),
)


def node(name: str) -> NodeSpec:
    """Find a node by its name."""
    for spec in NODES:
        if spec.name == name:
            return spec
    known = ", ".join(spec.name for spec in NODES)
    raise ValueError(f"No node {name!r}; the rig has {known}.")
