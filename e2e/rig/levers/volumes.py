"""Levers on the rig's volumes: fill one, and give released ones back."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from e2e.rig import volumes
from e2e.rig.api import Api
from e2e.rig.errors import RigError

_FILLER = ".rig-filler"


@dataclass(frozen=True, slots=True)
class VolumeLevers:
    """Fill, free and recycle the volumes of `rig-rwx` and `rig-small`."""

    api: Api

    def path(self, volume: str) -> Path:
        """Return the machine's directory behind a volume."""
        return volumes.path(volume)

    def fill(self, volume: str, leave_bytes: int = 0) -> int:
        """Fill a small volume until so many bytes are left; return how many were written."""
        directory = volumes.path(volume)
        if not directory.is_mount():
            raise RigError(f"{volume} has no size limit of its own: filling it would fill the machine's disk.")
        free = shutil.disk_usage(directory).free - leave_bytes
        if free <= 0:
            return 0
        with (directory / _FILLER).open("ab") as file:
            for _ in range(free // 2**20):
                file.write(b"\0" * 2**20)
            file.write(b"\0" * (free % 2**20))
        return free

    def free(self, volume: str) -> None:
        """Remove what `fill` wrote."""
        (volumes.path(volume) / _FILLER).unlink(missing_ok=True)

    def recycle(self) -> list[str]:
        """Empty every volume whose claim is gone and offer it again; return their names."""
        found = []
        for volume in self.api.get("/api/v1/persistentvolumes")["items"]:
            name = volume["metadata"]["name"]
            if volume["status"]["phase"] == "Released":
                volumes.empty(name)
                self.api.merge(f"/api/v1/persistentvolumes/{name}", {"spec": {"claimRef": None}})
                found.append(name)
        return found
