"""Debian packages that the rig needs: found by the file each must provide, installed in one apt-get call."""

from __future__ import annotations

import shutil
from pathlib import Path

from e2e.rig import shell
from e2e.rig.errors import CommandError, RigError

# package -> a program on PATH, or an absolute path, that shows it is there
NEEDED = {
    "buildah": "buildah",
    "busybox-static": "/bin/busybox",
    "conntrack": "conntrack",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "debootstrap": "debootstrap",
    "ethtool": "ethtool",
    "iproute2": "ip",
    "iptables": "iptables",
    "mount": "mount",
    "nftables": "nft",
    "openssl": "openssl",
    "procps": "sysctl",
    "runc": "runc",
    "socat": "socat",
    "util-linux": "nsenter",
}
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> list[str]:
    """Name the packages that are not installed."""
    return [package for package, proof in NEEDED.items() if not _present(proof)]


def install(packages: list[str]) -> None:
    """Install packages; the index is fetched only when apt does not know them as it stands."""
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        shell.run(command, env=env)
    except CommandError:
        shell.run(["apt-get", "update", "-q"], env=env)
        shell.run(command, env=env)
    if still := [package for package in packages if package in missing()]:
        raise RigError(f"apt-get installed {', '.join(still)}, but their programs are not where they should be.")


def mirror() -> str | None:
    """Return the address from which this machine takes Debian's main archive, None for debootstrap's default."""
    out = shell.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL) $(COMPONENT) $(CREATED_BY)"])
    for line in out.splitlines():
        uri, *rest = line.split()
        if rest == ["Debian", "main", "Packages"]:
            return uri
    return None


def _present(proof: str) -> bool:
    if proof.startswith("/"):
        return Path(proof).exists()
    return shutil.which(proof, path=_SYSTEM_PATH) is not None
