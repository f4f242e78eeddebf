"""Levers on pods: a process within one container dies, while the container lives on."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass

from e2e.rig import cgroups, processes
from e2e.rig.api import Api
from e2e.rig.errors import RigError


@dataclass(frozen=True, slots=True)
class PodLevers:
    """Look into and harm the containers of a pod."""

    api: Api

    def processes(self, namespace: str, pod: str, container: str) -> dict[int, str]:
        """Map the pids of a container's processes, as the machine sees them, to their command lines."""
        group = self._container_id(namespace, pod, container)
        return {pid: processes.command_line(pid) for pid in sorted(cgroups.container_processes(group))}

    def kill_process(self, namespace: str, pod: str, container: str, pattern: str) -> list[str]:
        """Kill -9 the processes of one container whose command line matches; return those command lines."""
        return self._signal((namespace, pod, container), pattern, signal.SIGKILL)

    def freeze_process(self, namespace: str, pod: str, container: str, pattern: str) -> list[str]:
        """Stop the processes of one container whose command line matches: they hang, and nothing ends."""
        return self._signal((namespace, pod, container), pattern, signal.SIGSTOP)

    def thaw_process(self, namespace: str, pod: str, container: str, pattern: str) -> list[str]:
        """Let stopped processes of one container go on."""
        return self._signal((namespace, pod, container), pattern, signal.SIGCONT)

    def _signal(self, where: tuple[str, str, str], pattern: str, sig: signal.Signals) -> list[str]:
        seen = self.processes(*where)
        wanted = {pid: line for pid, line in seen.items() if re.search(pattern, line)}
        if not wanted:
            raise RigError(f"No process of {'/'.join(where)} matches {pattern!r}; it runs: {sorted(seen.values())}.")
        for pid in wanted:
            os.kill(pid, sig)
        return list(wanted.values())

    def _container_id(self, namespace: str, pod: str, container: str) -> str:
        status = self.api.get(f"/api/v1/namespaces/{namespace}/pods/{pod}")["status"]
        known = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
        for entry in known:
            if entry["name"] == container and entry.get("containerID"):
                return str(entry["containerID"]).rpartition("/")[2]
        names = ", ".join(entry["name"] for entry in known) or "none"
        raise RigError(f"{namespace}/{pod} has no started container {container!r}; it has {names}.")
