"""Pod addresses before the API server has them: the network plugin's own record on the node.

Rule: a record speaks for the pod of its uid only, and nothing is remembered of a record that is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NETWORK = "rig"


@dataclass(slots=True)
class Records:
    """The plugin's records of one node, in a directory, read once each."""

    root: Path
    _read: dict[str, tuple[str, str]] = field(default_factory=dict)

    def addresses(self) -> dict[str, str]:
        """Map the uid of each pod that has a network to its address; the later of two records wins."""
        there = self._files()
        self._read = {name: found for name, found in self._read.items() if name in there}
        for name, path in there.items():
            if name not in self._read and (found := _read(path)):
                self._read[name] = found
        return dict(self._read.values())

    def _files(self) -> dict[str, Path]:
        try:
            return {path.name: path for path in self.root.iterdir() if path.name.startswith(f"{NETWORK}-")}
        except OSError:
            return {}  # the node is off, or has no pods yet


def fresh(pod: Mapping[str, Any], early: Mapping[str, str]) -> Mapping[str, Any]:
    """Give a pod the address that its node has on record, which its status repeats about a second later."""
    address = early.get(pod["metadata"].get("uid", ""))
    if address is None:
        return pod
    return {**pod, "status": {**pod.get("status", {}), "podIPs": [{"ip": address}]}}


def _read(path: Path) -> tuple[str, str] | None:
    try:
        record = json.loads(path.read_text())
        uid = dict(record["cniArgs"])["K8S_POD_UID"]
        return uid, record["result"]["ips"][0]["address"].partition("/")[0]
    except (OSError, ValueError, LookupError):
        return None  # gone again, or still being written
