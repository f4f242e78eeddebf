"""The rig as a scenario sees it: one object that reads, writes and breaks a real cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from e2e.rig import control_plane, lifecycle, node_images, nodes, pki, shell
from e2e.rig.api import Api, Json
from e2e.rig.errors import RigError
from e2e.rig.images import Built
from e2e.rig.levers import Levers
from e2e.rig.lock import USE, machine_lock
from e2e.rig.settings import NODES, STATE, NodeSpec

_BIN = STATE / "bin"


@dataclass(frozen=True, slots=True)
class Rig:
    """A running rig."""

    api: Api = field(default_factory=Api)
    kubeconfig: Path = pki.ADMIN_KUBECONFIG
    nodes: tuple[NodeSpec, ...] = NODES
    audit_log: Path = control_plane.AUDIT_LOG

    @classmethod
    def up(cls) -> Rig:
        """Bring a rig up (about a second when it is) and return it."""
        lifecycle.up()
        return cls()

    @classmethod
    def attach(cls) -> Rig:
        """Return the rig that runs, or say why there is none to use."""
        if found := lifecycle.sick():
            raise RigError(f"No healthy rig: {'; '.join(found)}. Run `python -m e2e.rig up`.")
        return cls()

    @property
    def levers(self) -> Levers:
        """What a scenario can do to the cluster."""
        return Levers.of(self.api)

    @contextmanager
    def held(self, what: str) -> Iterator[None]:
        """Keep others from taking the rig down, and from holding it too, for as long as a run needs it."""
        with machine_lock(what, name=USE):
            yield

    @property
    def environment(self) -> dict[str, str]:
        """Environment for a program that talks to the cluster: kubeconfig, and our kubectl and helm first."""
        helm = {f"HELM_{kind}_HOME": str(STATE / "helm" / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        path = f"{_BIN}:{os.environ['PATH']}"
        return {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(STATE / "kube-cache"), "PATH": path, **helm}

    def kubectl(self, *argv: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl as administrator and return what it wrote (with its errors, when check is off)."""
        return self._tool("kubectl", argv, stdin, check=check)

    def helm(self, *argv: str, stdin: str | None = None, check: bool = True) -> str:
        """Run helm as administrator and return what it wrote (with its errors, when check is off)."""
        return self._tool("helm", argv, stdin, check=check)

    def get(self, path: str) -> Json:
        """Read a raw API path as administrator."""
        return self.api.get(path)

    def load(self, image: Built) -> str:
        """Give an image that is not in the catalogue to every node and return its reference."""
        node_images.offer_one(image)
        for node in self.nodes:
            node_images.import_missing(partial(nodes.run_inside, node))
        return image.reference

    def _tool(self, name: str, argv: Sequence[str], stdin: str | None, *, check: bool) -> str:
        command = [str(_BIN / name), *argv]
        if check:
            return shell.run(command, stdin=stdin, env=self.environment)
        result = shell.attempt(command, stdin=stdin, env=self.environment)
        return result.out + result.err
