"""Garbage collection by owners, and the end of namespaces."""

from __future__ import annotations

from dataclasses import dataclass, field

from inferfleet.api.base import Json
from support.fake_kube.controller import Controller
from support.fake_kube.errors import ApiError
from support.fake_kube.resources import Resource
from support.fake_kube.storage import Change, Key, key_of, owner_uids

_MANAGER = "kube-controller-manager"


@dataclass(slots=True, eq=False)
class Collector(Controller):
    """Deletes what lost its last owner; an owner counts by its uid, not by its name."""

    waiting: dict[tuple[Resource, Key], None] = field(default_factory=dict)

    def seen(self, change: Change) -> None:
        if change.after is None and change.before is not None:
            uid = change.before.obj["metadata"]["uid"]
            self.waiting |= dict.fromkeys(self.api.storage.dependents.get(uid, ()))
            for owner in owner_uids(change.before):
                self._look_at_owner(owner)
        elif change.after is not None:
            meta = change.after.obj["metadata"]
            if meta.get("ownerReferences") or "deletionTimestamp" in meta:
                self.waiting[change.resource, key_of(change.after.obj)] = None

    def step(self) -> bool:
        if not self.enabled or not self.waiting:
            return False
        todo = list(self.waiting)
        self.waiting.clear()
        for resource, key in todo:
            self._look_at(resource, key)
        return True

    def _look_at_owner(self, uid: str) -> None:
        """Look at an owner that may have waited for this dependent."""
        found = self.api.storage.by_uid.get(uid)
        stored = self.api.storage.get(*found) if found else None
        if found is not None and stored is not None and "deletionTimestamp" in stored.obj["metadata"]:
            self.waiting[found] = None

    def _look_at(self, resource: Resource, key: Key) -> None:
        stored = self.api.storage.get(resource, key)
        if stored is None:
            return
        meta = stored.obj["metadata"]
        if "deletionTimestamp" in meta:
            self._finish(resource, key, meta)
        owners = meta.get("ownerReferences") or []
        if owners and not any(self._exists(owner, key[0]) for owner in owners) and "deletionTimestamp" not in meta:
            self._delete(resource, key, meta["uid"])

    def _finish(self, resource: Resource, key: Key, meta: Json) -> None:
        """Do what an owner's finalizer waits for."""
        if resource.plural == "namespaces":
            self._empty(key[1])
        finalizers = meta.get("finalizers") or []
        dependents = list(self.api.storage.dependents.get(meta["uid"], ()))
        if "orphan" in finalizers:
            for dependent in dependents:
                self._orphan(*dependent, meta["uid"])
            self._drop_finalizer(resource, key, "orphan")
        elif "foregroundDeletion" in finalizers:
            for kind, name in dependents:
                found = self.api.storage.get(kind, name)
                if found is not None and "deletionTimestamp" not in found.obj["metadata"]:
                    self._delete(kind, name, found.obj["metadata"]["uid"], "Foreground")
            if not any(self._blocks(*dependent, meta["uid"]) for dependent in dependents):
                self._drop_finalizer(resource, key, "foregroundDeletion")

    def _blocks(self, resource: Resource, key: Key, owner: str) -> bool:
        found = self.api.storage.get(resource, key)
        references = [] if found is None else found.obj["metadata"].get("ownerReferences") or []
        return any(one["uid"] == owner and one.get("blockOwnerDeletion") for one in references)

    def _orphan(self, resource: Resource, key: Key, owner: str) -> None:
        found = self.api.read(resource, *key)
        kept = [one for one in found["metadata"]["ownerReferences"] if one["uid"] != owner]
        patch = {"metadata": {"ownerReferences": kept or None}}
        self.api.patch(resource, *key, patch, self.hands.author(_MANAGER))

    def _drop_finalizer(self, resource: Resource, key: Key, name: str) -> None:
        found = self.api.storage.get(resource, key)
        if found is not None:
            kept = [one for one in found.obj["metadata"].get("finalizers") or [] if one != name]
            patch = {"metadata": {"finalizers": kept or None}}
            self.api.patch(resource, *key, patch, self.hands.author(_MANAGER))

    def _exists(self, owner: Json, namespace: str) -> bool:
        group, _, version = owner["apiVersion"].rpartition("/")
        for resource in self.api.resources.values():
            if (resource.group, resource.version, resource.kind) == (group, version, owner["kind"]):
                key = (namespace if resource.namespaced else "", owner["name"])
                return self.api.exists(owner["uid"], resource, key)
        return False

    def _delete(self, resource: Resource, key: Key, uid: str, propagation: str = "Background") -> None:
        try:
            self.api.delete(resource, *key, {"preconditions": {"uid": uid}, "propagationPolicy": propagation})
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    def _empty(self, namespace: str) -> None:
        """Delete what a namespace holds, and then the namespace."""
        left = False
        for resource in [one for one in self.api.resources.values() if one.namespaced]:
            for stored in self.api.storage.all(resource, namespace):
                self.api.delete(resource, *key_of(stored.obj), {"gracePeriodSeconds": 0})
                left = left or self.api.storage.get(resource, key_of(stored.obj)) is not None
        namespaces = self.api.resource("namespaces")
        if not left and self.api.storage.get(namespaces, ("", namespace)) is not None:
            self.api.storage.remove(namespaces, ("", namespace))
