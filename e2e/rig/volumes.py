"""Storage that many nodes can mount: `local` volumes on directories that every node sees.

`rig-rwx` is roomy; the volumes of `rig-small` lie on a tmpfs of 64 MiB each, so that a disk really fills.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.rig import shell
from e2e.rig.settings import NODES, STATE

DIRECTORY = STATE / "volumes"


@dataclass(frozen=True, slots=True)
class VolumeClass:
    """A storage class with a fixed set of volumes."""

    name: str
    count: int
    capacity: str
    # The real size of each volume's file system; None: no limit but the machine's disk.
    limit: str | None = None


CLASSES = (VolumeClass("rig-rwx", 24, "20Gi"), VolumeClass("rig-small", 4, "64Mi", "64m"))


def create() -> None:
    """Make the directories; every user may write, as on a file server for many teams."""
    for kind in CLASSES:
        for name in names(kind):
            path = DIRECTORY / name
            path.mkdir(parents=True)
            if kind.limit:
                shell.run(["mount", "-t", "tmpfs", "-o", f"size={kind.limit},mode=777", "rig", str(path)])
            path.chmod(0o777)


def names(kind: VolumeClass) -> list[str]:
    """Name the volumes of a class."""
    return [f"{kind.name}-{number}" for number in range(kind.count)]


def manifests() -> list[dict[str, Any]]:
    """Render the classes and their volumes."""
    found = []
    for kind in CLASSES:
        found.append(_storage_class(kind))
        found.extend(volume(kind, name) for name in names(kind))
    return found


def volume(kind: VolumeClass, name: str) -> dict[str, Any]:
    """Render one volume, reachable from every node."""
    hostnames = [node.name for node in NODES]
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": hostnames}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": kind.capacity},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "storageClassName": kind.name,
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(DIRECTORY / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}},
        },
    }


def empty(name: str) -> None:
    """Delete what a volume holds."""
    for path in (DIRECTORY / name).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def path(name: str) -> Path:
    """Return the machine's directory behind a volume."""
    return DIRECTORY / name


def _storage_class(kind: VolumeClass) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": kind.name},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
        "reclaimPolicy": "Retain",
    }
