"""Nodes, who holds their GPUs, and how many are free.

The one rule: a GPU is free when it is allocatable and no bound, unfinished pod of anyone requests it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GPU = "nvidia.com/gpu"
PRODUCT_LABEL = "nvidia.com/gpu.product"


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint of a node."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the scheduler sees it."""

    name: str
    product: str = ""
    gpus: int = 0
    """Allocatable GPUs."""
    capacity: int = 0
    """GPUs that the node has, healthy or not."""
    ready: bool = True
    cordoned: bool = False
    taints: tuple[Taint, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GpuPod:
    """A pod of anyone that holds GPUs: bound to a node and not finished."""

    uid: str
    node: str
    gpus: int
    owner: str = ""
    """uid of the ReplicaSet it belongs to, if it has one."""
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """A ResourceQuota's word on GPUs in the model's namespace."""

    name: str
    hard: int
    used: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every node and every pod with GPUs; `blind` when pods of other namespaces may not be seen."""

    nodes: tuple[Node, ...] = ()
    pods: tuple[GpuPod, ...] = ()
    blind: bool = False
    _free: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    """The answer that was given before: every model asks for it."""

    def free(self) -> Mapping[str, int]:
        """Count the free GPUs of each node."""
        if not self._free:
            self._free.update(self._counted())
        return self._free

    def _counted(self) -> dict[str, int]:
        left = {node.name: node.gpus for node in self.nodes}
        for pod in self.pods:
            if pod.node in left:
                left[pod.node] -= pod.gpus
        return {name: max(0, gpus) for name, gpus in left.items()}
