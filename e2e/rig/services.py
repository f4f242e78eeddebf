"""Programs of ours that run beside the cluster: fake GPUs, the policy enforcer, the model hub.

To add one, declare it here: a Python module, its arguments, the network namespace that it runs in, the node
that it lives and dies with, and how to see that it is ready. A module that is not there is left out.
"""

from __future__ import annotations

import importlib.util
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from e2e.rig import pki, processes, shell
from e2e.rig.errors import RigError
from e2e.rig.settings import CONTROL_IP, CONTROL_NETNS, HOST_IP, NODES, PYTHON, REPOSITORY, STATE, NodeSpec

HUB_PORT = 8088
_READY_S = 30.0
_HUB_AT = ("--host", CONTROL_IP, "--port", str(HUB_PORT), "--root", str(STATE / "hub"), "--fill")
_HUB_ARGS = (*_HUB_AT, "--control", f"{HOST_IP}/32", "--control", f"{CONTROL_IP}/32")


@dataclass(frozen=True, slots=True)
class Service:
    """One process of ours. Without a namespace it runs in the machine's own."""

    name: str
    module: str
    args: tuple[str, ...] = ()
    netns: str | None = None
    node: str | None = None
    ready: Callable[[], bool] | None = None

    @property
    def available(self) -> bool:
        """Whether this checkout has the program."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:
            return False  # the package above it is not there either


def declared() -> list[Service]:
    """List the services of the rig."""
    hub_ready = _listens(CONTROL_IP, HUB_PORT)
    found = [Service("hub", "e2e.rig.hub.__main__", _HUB_ARGS, netns=CONTROL_NETNS, ready=hub_ready)]
    for node in NODES:
        found.append(Service(f"gpus-{node.name}", "e2e.rig.gpu_plugin", (node.name,), node=node.name))
        netpol = "e2e.rig.netpol.__main__"
        enforced = _has_table(node.netns)
        found.append(Service(f"netpol-{node.name}", netpol, (node.name,), node.netns, node.name, enforced))
    return [service for service in found if service.available]


def of_node(node: NodeSpec) -> list[Service]:
    """List the services that live and die with a node."""
    return [service for service in declared() if service.node == node.name]


def start(service: Service) -> None:
    """Start a service that does not run."""
    argv = [PYTHON, "-m", service.module.removesuffix(".__main__"), *service.args]
    if service.netns:
        argv = shell.in_netns(service.netns, argv)
    env = {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1", "KUBECONFIG": str(pki.ADMIN_KUBECONFIG)}
    processes.start(service.name, argv, env=env)


def stop(service: Service) -> None:
    """End a service."""
    processes.stop(service.name)


def start_missing() -> list[str]:
    """Start every service that does not run and return the names of those."""
    asleep = [service for service in declared() if not _alive(service)]
    for service in asleep:
        start(service)
    for service in asleep:
        wait_ready(service)
    return [service.name for service in asleep]


def wait_ready(service: Service) -> None:
    """Return when a service is ready; say where to look if it ends or takes too long."""
    deadline = time.monotonic() + _READY_S
    while service.ready and not service.ready():
        if not _alive(service) or time.monotonic() > deadline:
            raise RigError(f"{service.name} did not become ready; see {processes.LOG / service.name}.log.")
        time.sleep(0.05)


def dead() -> list[str]:
    """Name the services that should run and do not."""
    return [service.name for service in declared() if not _alive(service)]


def _alive(service: Service) -> bool:
    record = processes.recorded(service.name)
    return bool(record and record.alive)


def _listens(address: str, port: int) -> Callable[[], bool]:
    def check() -> bool:
        try:
            socket.create_connection((address, port), timeout=0.5).close()
        except OSError:
            return False
        return True

    return check


def _has_table(netns: str) -> Callable[[], bool]:
    return lambda: shell.succeeds(shell.in_netns(netns, ["nft", "list", "table", "ip", "netpol"]))
