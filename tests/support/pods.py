"""How pods live in a simulation: where they are, how long they take, what becomes of downloads.

The one rule: a pod's address is its own while it lives, and a download's pod waits until its result was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass, field

from inferfleet.api.base import Json
from inferfleet.fleet import names
from support.fake_kube import FakeKube, Fate
from support.fake_kube.storage import key_of
from support.fake_servers import download_address, serving_address

SERVES = Fate(starts_after=0.5, ready_after=2.0, drain_seconds=1.0)
UNREAD = Fate(ready_after=None, ends_after=60.0)
READ = Fate(ready_after=None, ends_after=0.5)


@dataclass
class Pods:
    """Every pod of a fake cluster."""

    fake: FakeKube
    read: set[str] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a kubelet has something new to wait for."""

    def live(self) -> None:
        """Let the fake's kubelets run pods so."""
        kubelets = self.fake.controllers.kubelets
        kubelets.address = address_of
        kubelets.fates.append(lambda pod: fate(pod, self.read))

    def runs(self, address: str) -> bool:
        """Tell whether a pod runs at an address."""
        return self._at(address) is not None

    def was_read(self, address: str) -> None:
        """Let a download's pod end now that its result was read."""
        pod = self._at(address)
        if pod is not None:
            self.read.add(pod["metadata"]["uid"])
            self.fake.controllers.kubelets.dirty[key_of(pod)] = None
            self.fake.run_controllers()
            self.changed.set()

    def _at(self, address: str) -> Json | None:
        for stored in self.fake.api.storage.all(self.fake.api.resource("pods")):
            status = stored.obj.get("status") or {}
            if status.get("podIP") == address and status.get("phase") == "Running":
                return stored.obj
        return None


def fate(pod: Json, read: Container[str]) -> Fate:
    """Say what becomes of a pod; `read` holds the uids of downloads whose result was read."""
    if role_of(pod) != names.ROLE_DOWNLOAD:
        return SERVES
    return READ if pod["metadata"]["uid"] in read else UNREAD


def address_of(pod: Json, number: int) -> str:
    """Say where a pod is."""
    return download_address(number) if role_of(pod) == names.ROLE_DOWNLOAD else serving_address(number)


def role_of(pod: Json) -> str:
    """Tell what a pod is for."""
    return str((pod["metadata"].get("labels") or {}).get(names.ROLE, ""))


def foreign_pod(name: str, node: str, gpus: int = 1) -> Json:
    """Write somebody else's pod that holds GPUs."""
    amount = {"nvidia.com/gpu": str(gpus)}
    container = {"name": "c", "image": "i", "resources": {"requests": amount, "limits": amount}}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node, "containers": [container]}}
