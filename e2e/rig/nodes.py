"""A node from outside: power, its services, and commands within it.

A node is one process tree in namespaces of its own: the end of its first process is a power failure and a
complete removal.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from e2e.rig import cgroups, node_files, node_init, node_services, processes, shell
from e2e.rig.errors import RigError
from e2e.rig.settings import PYTHON, REPOSITORY, NodeSpec

_SERVICE_STOP_S = 10.0


def prepare(node: NodeSpec, *, in_memory: bool) -> None:
    """Write a node's directories and configuration."""
    home = node.directory
    for name in ("kubelet", "containerd", "cni", "log/pods", "log/containers"):
        (home / name).mkdir(parents=True, exist_ok=True)
    if in_memory:
        (home / node_init.MEMORY_ROOT).touch()
    runc = shutil.which("runc", path=node_services.PATH) or "/usr/sbin/runc"
    (home / "cni/10-rig.conflist").write_text(node_files.cni(node))
    (home / "containerd.toml").write_text(node_files.containerd(node, runc))
    (home / "kubelet.json").write_text(node_files.kubelet(node))
    (home / "kube-proxy.json").write_text(node_files.kube_proxy(node))


def power_on(node: NodeSpec) -> None:
    """Start a node that is off. Control groups left by a power failure would cost the kubelet seconds each."""
    cgroups.remove(node.name)
    cgroups.create([node.name])
    namespaces = ["--mount", "--uts", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    argv = ["unshare", *namespaces, "--propagation", "private", PYTHON, "-m", "e2e.rig.node_init", node.name]
    processes.start(node.name, shell.in_netns(node.netns, argv), env={"PYTHONPATH": str(REPOSITORY)})


def power_off(node: NodeSpec) -> None:
    """End a node at once, with everything that runs on it."""
    processes.stop(node.name)
    processes.end(cgroups.processes(node.name))


def is_on(node: NodeSpec) -> bool:
    """Whether the node's first process lives."""
    record = processes.recorded(node.name)
    return bool(record and record.alive)


def first_process(node: NodeSpec) -> int:
    """Return the pid of the node's init as the machine sees it."""
    deadline = time.monotonic() + 5.0
    while not (found := processes.children(processes.running(node.name).pid)):
        if time.monotonic() > deadline:
            raise RigError(f"{node.name} does not start; see {processes.LOG / node.name}.log.")
        time.sleep(0.01)
    return found[0]


def inside(node: NodeSpec, argv: Sequence[str | Path]) -> list[str]:
    """Prefix argv so that it runs in a node's namespaces."""
    target = ["--target", str(first_process(node)), "--mount", "--uts", "--net", "--pid", "--wd=/"]
    path = ["env", f"PATH={node_services.PATH}"]
    return ["nsenter", *target, "--", *path, *(str(word) for word in argv)]


def run_inside(node: NodeSpec, argv: Sequence[str | Path]) -> str:
    """Run a program in a node and return what it wrote."""
    return shell.run(inside(node, argv))


def service_pid(node: NodeSpec, service: str) -> int | None:
    """Find one of a node's services among the children of the node's init; None when it does not run."""
    wanted = " ".join(_shown_as(node, service))
    for pid in processes.children(first_process(node)):
        if processes.start_time(pid) is not None and processes.command_line(pid).startswith(wanted):
            return pid
    return None


def start_service(node: NodeSpec, service: str) -> None:
    """Start a service of a node that does not run."""
    if service_pid(node, service):
        raise RigError(f"{service} already runs on {node.name}.")
    name = node_services.log_name(node, service)
    run_inside(node, processes.launcher(name, node_services.command(node, service)))


def stop_service(node: NodeSpec, service: str, sig: signal.Signals = signal.SIGKILL) -> None:
    """End a service of a node; its containers stay."""
    pid = service_pid(node, service)
    if pid is None:
        raise RigError(f"{service} does not run on {node.name}.")
    processes.end({pid}, sig, _SERVICE_STOP_S)


def signal_service(node: NodeSpec, service: str, sig: signal.Signals) -> None:
    """Send a signal to a service of a node."""
    pid = service_pid(node, service)
    if pid is None:
        raise RigError(f"{service} does not run on {node.name}.")
    os.kill(pid, sig)


def _shown_as(node: NodeSpec, service: str) -> list[str]:
    # The wrapper binary drops its own name from argv, but the kernel shows what it was started with.
    return node_services.command(node, service)[:2]
