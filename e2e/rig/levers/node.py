"""Levers on nodes: power, kubelet, container runtime, strangers that take the GPUs, cordons and taints."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from e2e.rig import nodes, services, settings
from e2e.rig.api import Api, Json
from e2e.rig.errors import ApiError
from e2e.rig.settings import REGISTRY

_FOREIGN = "foreign"
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class NodeLevers:
    """Switch, stop, fill and mark nodes."""

    api: Api

    def power_off(self, node: str) -> None:
        """Cut a node's power: kubelet, containers and device plugin are gone at once."""
        spec = settings.node(node)
        nodes.power_off(spec)
        for service in services.of_node(spec):
            services.stop(service)

    def power_on(self, node: str) -> None:
        """Switch a node on again, with its device plugin and whatever else lives on it."""
        spec = settings.node(node)
        nodes.power_on(spec)
        for service in services.of_node(spec):
            services.start(service)

    def stop_service(self, node: str, service: str = "kubelet") -> None:
        """Kill a node's kubelet, containerd or kube-proxy; its containers go on."""
        nodes.stop_service(settings.node(node), service)

    def start_service(self, node: str, service: str = "kubelet") -> None:
        """Start a service that was stopped."""
        nodes.start_service(settings.node(node), service)

    def restart_service(self, node: str, service: str = "kubelet") -> None:
        """End a service in order and start it again."""
        nodes.stop_service(settings.node(node), service, signal.SIGTERM)
        nodes.start_service(settings.node(node), service)

    def freeze_service(self, node: str, service: str = "kubelet") -> None:
        """Stop a service in the middle of what it does."""
        nodes.signal_service(settings.node(node), service, signal.SIGSTOP)

    def thaw_service(self, node: str, service: str = "kubelet") -> None:
        """Let a frozen service go on."""
        nodes.signal_service(settings.node(node), service, signal.SIGCONT)

    def fill(self, node: str, gpus: int) -> str:
        """Put a stranger's pod on a node that holds so many GPUs; return its name."""
        self._ensure_namespace()
        path = f"/api/v1/namespaces/{_FOREIGN}/pods"
        taken = len(self.api.get(f"{path}?labelSelector=rig%2Fnode%3D{node}")["items"])
        name = f"stranger-{node}-{taken}"
        self.api.create(path, foreign_pod(name, node, gpus))
        return name

    def empty(self, node: str) -> None:
        """Send the strangers of a node away."""
        path = f"/api/v1/namespaces/{_FOREIGN}/pods"
        for pod in self.api.get(f"{path}?labelSelector=rig%2Fnode%3D{node}")["items"]:
            self.api.delete(f"{path}/{pod['metadata']['name']}", grace_s=0)

    def cordon(self, node: str) -> None:
        """Close a node for new pods."""
        self._merge(node, {"spec": {"unschedulable": True}})

    def uncordon(self, node: str) -> None:
        """Open a node again."""
        self._merge(node, {"spec": {"unschedulable": None}})

    def taint(self, node: str, key: str, effect: str = "NoSchedule") -> None:
        """Add a taint to a node."""
        kept = [taint for taint in self._taints(node) if taint["key"] != key]
        self._merge(node, {"spec": {"taints": [*kept, {"key": key, "effect": effect}]}})

    def untaint(self, node: str, key: str) -> None:
        """Remove a taint from a node."""
        kept = [taint for taint in self._taints(node) if taint["key"] != key]
        self._merge(node, {"spec": {"taints": kept or None}})

    def run(self, node: str, *argv: str) -> str:
        """Run a program in a node's namespaces and return what it wrote."""
        return nodes.run_inside(settings.node(node), argv)

    def _taints(self, node: str) -> list[Json]:
        return list(self.api.get(f"/api/v1/nodes/{node}")["spec"].get("taints", []))

    def _merge(self, node: str, patch: Json) -> None:
        self.api.merge(f"/api/v1/nodes/{node}", patch)

    def _ensure_namespace(self) -> None:
        namespace: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _FOREIGN}}
        try:
            self.api.create("/api/v1/namespaces", namespace)
        except ApiError as error:
            if error.code != _CONFLICT:
                raise


def foreign_pod(name: str, node: str, gpus: int) -> Json:
    """Render a pod of somebody else's that only holds GPUs; it is scheduled like any other."""
    container = {
        "name": "hold",
        "image": f"{REGISTRY}/busybox:1.0",
        "imagePullPolicy": "Never",
        "command": ["sleep", "infinity"],
        "resources": {"limits": {"nvidia.com/gpu": str(gpus)}},
    }
    spec = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    metadata = {"name": name, "labels": {"rig/node": node}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
