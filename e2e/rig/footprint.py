"""What a machine looks like from the outside: what the rig must leave as it was.

Taken before `up` changes anything, kept in the state directory, compared by `down`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e.rig import shell
from e2e.rig.settings import STATE

_FILE = STATE / "footprint.json"
_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "net/bridge/bridge-nf-call-iptables",
    "net/netfilter/nf_conntrack_max",
)
# Where container runtimes, network plugins and kubelets write unless they are told not to.
_DIRECTORIES = (
    "/etc/cni",
    "/opt/cni",
    "/opt/containerd",
    "/run/containerd",
    "/run/containers",
    "/run/flannel",
    "/run/kubernetes",
    "/run/netns",
    "/run/xtables.lock",
    "/run/runc",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
    "/var/run/nri",
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """Sysctl values, the system directories that exist, and the machine's packet filter."""

    sysctls: dict[str, str]
    directories: list[str]
    tables: list[str]

    def differences(self, now: Footprint) -> list[str]:
        """Say what has changed since this footprint was taken."""
        found = [
            f"sysctl {name}: was {before}, is {now.sysctls[name]}"
            for name, before in self.sysctls.items()
            if name in now.sysctls and now.sysctls[name] != before
        ]
        found += [f"path {path} is new" for path in now.directories if path not in self.directories]
        return found + [f"nftables: {table} is new" for table in now.tables if table not in self.tables]


def take() -> Footprint:
    """Look at the machine as it is now."""
    sysctls = {name: text for name in _SYSCTLS if (text := _read(Path("/proc/sys", name))) is not None}
    directories = [path for path in _DIRECTORIES if Path(path).exists()]
    tables = shell.attempt(["nft", "list", "tables"]).out.splitlines()
    return Footprint(sysctls, directories, tables)


def record() -> None:
    """Keep the footprint of the machine before the rig changes it."""
    _FILE.write_text(json.dumps(asdict(take())))


def recorded() -> Footprint | None:
    """Return the footprint that was taken before the rig came up."""
    try:
        return Footprint(**json.loads(_FILE.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
