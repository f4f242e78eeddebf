"""The first process of a node: `python -m e2e.rig.node_init NODE`, alone in new namespaces.

It mounts what makes the machine's file system look like a node's own, starts the node's services and then
only reaps orphans. The rule: it mounts in its own namespace and writes only below its own directory and on
its own tmpfs, so that its death undoes everything at once.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

from e2e.rig import node_images, node_services, processes, settings, shell
from e2e.rig.cgroups import unified_only
from e2e.rig.errors import CommandError
from e2e.rig.settings import STATE, NodeSpec

# The kubelet sets these for the whole machine; it gets files to write into instead.
_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
MEMORY_ROOT = "containerd-in-memory"
_CONTAINERD_S = 30.0


def main(argv: list[str]) -> None:
    """Become the node that is named."""
    node = settings.node(argv[0])
    socket.sethostname(node.name)
    os.environ["PATH"] = node_services.PATH
    mount(node)
    start(node)
    while True:
        _reap()


def mount(node: NodeSpec) -> None:
    """Lay the node's own directories over the machine's."""
    if not unified_only():
        shell.attempt(["umount", "/sys/fs/cgroup/unified"])  # seen from here the machine is purely v1
    if (node.directory / MEMORY_ROOT).exists():
        _tmpfs(node.directory / "containerd", "size=6g,mode=711")
    resolver = Path("/etc/resolv.conf").resolve()
    _tmpfs(Path("/run"), "mode=755")
    for name in ("netns", "lock", "containerd", "sysctl"):
        Path("/run", name).mkdir()
    _own_var(node)
    # No resolver: a pull from an unknown registry fails at once instead of after a minute.
    _own_file(resolver, "")
    _own_file(Path("/etc/hosts"), "127.0.0.1 localhost\n")
    for name, value in _SYSCTLS.items():
        _own_file(Path("/proc/sys", name), f"{value}\n")
    # Only now, so that the binds above do not repeat each other's later mounts.
    shell.run(["mount", "--make-rshared", "/"])


def start(node: NodeSpec) -> None:
    """Start the services; images are there before the kubelet wants them."""
    _launch(node, "containerd")
    deadline = time.monotonic() + _CONTAINERD_S
    while not shell.succeeds(["ctr", "version"]):
        if time.monotonic() > deadline:
            raise CommandError("containerd does not answer; see its log.")
        time.sleep(0.05)
    node_images.import_missing(node_images.here)
    _launch(node, "kubelet")
    _launch(node, "kube-proxy")


def _own_var(node: NodeSpec) -> None:
    own = Path("/run/var-lib")
    for name in (STATE.name, "kubelet", "cni"):
        (own / name).mkdir(parents=True)
    shell.run(["mount", "--rbind", str(STATE), str(own / STATE.name)])
    shell.run(["mount", "--bind", str(node.directory / "kubelet"), str(own / "kubelet")])
    shell.run(["mount", "--rbind", str(own), str(STATE.parent)])
    shell.run(["mount", "--bind", str(node.directory / "log"), "/var/log"])


def _own_file(path: Path, content: str) -> None:
    if path.is_relative_to("/run") or not path.exists():
        if path.is_relative_to("/run"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return
    source = Path("/run/sysctl", path.name)
    source.write_text(content)
    shell.run(["mount", "--bind", str(source), str(path)])


def _tmpfs(path: Path, options: str) -> None:
    shell.run(["mount", "-t", "tmpfs", "-o", options, "rig", str(path)])


def _launch(node: NodeSpec, service: str) -> None:
    name = node_services.log_name(node, service)
    shell.run(processes.launcher(name, node_services.command(node, service)))


def _reap() -> None:
    try:
        os.wait()
    except ChildProcessError:
        time.sleep(0.5)


if __name__ == "__main__":
    main(sys.argv[1:])
