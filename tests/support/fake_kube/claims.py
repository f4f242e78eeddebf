"""The volume binder: a claim is bound as soon as it is seen."""

from __future__ import annotations

from dataclasses import dataclass

from support.fake_kube.controller import Controller
from support.fake_kube.storage import Change, Key, clone, key_of


@dataclass(slots=True, eq=False)
class Claims(Controller):
    """Binds every claim to a volume of exactly its size."""

    def seen(self, change: Change) -> None:
        if change.resource.plural == "persistentvolumeclaims" and change.after is not None:
            self.dirty[key_of(change.after.obj)] = None

    def act(self, key: Key) -> None:
        resource = self.api.resource("persistentvolumeclaims")
        stored = self.api.storage.get(resource, key)
        if stored is None:
            return
        bound = clone(stored.obj)
        size = bound["spec"]["resources"]["requests"]
        bound["spec"]["volumeName"] = f"pv-{bound['metadata']['uid']}"
        bound["status"] = {"phase": "Bound", "capacity": size, "accessModes": bound["spec"].get("accessModes", [])}
        if bound != stored.obj:
            self.api.storage.put(resource, bound)
