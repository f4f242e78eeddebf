"""The API itself, without sockets: create, read, update, patch, apply, delete.

The one rule: what a caller hands in or gets back is never the stored object.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from inferfleet.api.base import Json
from support.fake_kube.apply import Author, applied, same_but_for_times, updated
from support.fake_kube.defaults import fill_in
from support.fake_kube.errors import (
    already_exists,
    bad_request,
    cause,
    conflict,
    forbidden,
    invalid,
    modified,
    no_such_resource,
    not_found,
)
from support.fake_kube.parts import chosen, grace_of, has_empty_rules, wanted_part, with_subresource
from support.fake_kube.patches import json_patched, merge_patched
from support.fake_kube.resources import BUILT_IN, Resource, Value, custom_resource
from support.fake_kube.rules import check
from support.fake_kube.selectors import selector
from support.fake_kube.storage import Key, Storage, Stored, clone, key_of

Admission = Callable[[Resource, Json | None, Json], None]
Validator = Callable[[Json], list[Json]]
_KEPT = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
_LOCKED = ("leases",)


def rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Api:
    """The objects of a cluster and what may be done with them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.storage = Storage()
        self.now = now
        self.resources: dict[tuple[str, str, str], Resource] = {}
        self.admission: list[Admission] = []
        self.validators: dict[str, Validator] = {}
        for resource in BUILT_IN:
            self.register(resource)

    def register(self, resource: Resource) -> None:
        self.resources[resource.group, resource.version, resource.plural] = resource

    def resource(self, plural: str) -> Resource:
        """Find a resource by its plural name alone."""
        return next(found for found in self.resources.values() if found.plural == plural)

    def read(self, resource: Resource, namespace: str, name: str) -> Json:
        return clone(self._stored(resource, namespace, name).obj)

    def find(self, resource: Resource, namespace: str | None = None, labels: str | None = None) -> list[Json]:
        """List copies of objects."""
        fits = selector(labels, None)
        return [clone(found.obj) for found in self.storage.all(resource, namespace) if fits(found.obj)]

    def create(self, resource: Resource, namespace: str, obj: Json, author: Author) -> Json:
        obj = clone(obj)
        meta = obj.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        if not meta.get("name"):
            field = cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
            raise invalid(resource.kind, "", [field])
        self._check_namespace(resource, namespace, meta)
        if self.storage.get(resource, key_of(obj)) is not None:
            raise already_exists(resource.qualified, meta["name"])
        if resource.has_status:
            obj.pop("status", None)
        self._dress(resource, obj, namespace)
        self._admit(resource, None, obj)
        meta = obj["metadata"]
        if author.operation != "Apply":
            meta.pop("managedFields", None)
            obj = updated(None, obj, author, resource)
        return self._stored_new(resource, obj)

    def replace(self, resource: Resource, namespace: str, name: str, obj: Json, author: Author) -> Json:
        before = self._stored(resource, namespace, name).obj
        if obj["metadata"].get("name") != name:
            raise bad_request("the name of the object does not match the name on the URL")
        if not obj["metadata"].get("resourceVersion") and (resource.full or resource.plural in _LOCKED):
            must = "Invalid value: 0: must be specified for an update"
            raise invalid(resource.kind, name, [cause("metadata.resourceVersion", must)])
        return self._change(resource, before, clone(obj), author, replaces=True)

    def patch(self, resource: Resource, namespace: str, name: str, patch: Value, author: Author) -> Json:
        """Merge-patch with an object, JSON-patch with a list."""
        before = self._stored(resource, namespace, name).obj
        live = clone(before)
        after = json_patched(live, patch) if isinstance(patch, list) else merge_patched(live, patch)
        return self._change(resource, before, clone(after), author)

    def apply(self, resource: Resource, namespace: str, name: str, wanted: Json, author: Author) -> tuple[Json, bool]:
        """Apply; the flag says that the object was created."""
        if not author.manager:
            field = cause("fieldManager", "Required value: is required for apply patch", "FieldValueRequired")
            raise invalid("PatchOptions.meta.k8s.io", "", [field])
        if not wanted.get("apiVersion") or not wanted.get("kind"):
            raise bad_request("apiVersion and kind must be set")
        meta = wanted.setdefault("metadata", {})
        if meta.setdefault("name", name) != name:
            raise bad_request("the name of the object does not match the name on the URL")
        found = self.storage.get(resource, (namespace, name))
        if found is None:
            if author.subresource:
                raise not_found(resource.qualified, name)
            if meta.get("uid"):
                why = f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found"
                raise conflict(resource.qualified, name, why)
            return self.create(resource, namespace, applied(None, wanted, author, resource), author), True
        return self._change(resource, found.obj, applied(found.obj, wanted, author, resource), author), False

    def delete(self, resource: Resource, namespace: str, name: str, options: Json) -> tuple[Json, bool]:
        """Delete; the flag says that the object is gone already."""
        found = self._stored(resource, namespace, name).obj
        self._check_preconditions(resource, found, options.get("preconditions") or {})
        obj, meta = clone(found), found["metadata"]
        grace = grace_of(resource, found, options)
        finalizers = set(meta.get("finalizers") or [])
        finalizers |= {"Foreground": {"foregroundDeletion"}, "Orphan": {"orphan"}}.get(
            options.get("propagationPolicy", ""), set()
        )
        if resource.plural == "namespaces":
            return self._terminate(resource, obj), False
        if resource.plural == "customresourcedefinitions":
            self._unregister(custom_resource(found))
        if not finalizers and not grace:
            return self.storage.remove(resource, key_of(found)), True
        obj["metadata"]["finalizers"] = sorted(finalizers)
        if not finalizers:
            del obj["metadata"]["finalizers"]
        if self._mark(obj, grace) or finalizers != set(meta.get("finalizers") or []):
            obj = self.storage.put(resource, obj)
        return clone(obj), False

    def _unregister(self, resource: Resource) -> None:
        """Forget a user's type: its objects go first, so that watches see them go."""
        known = self.resources[resource.group, resource.version, resource.plural]
        for stored in self.storage.all(known):
            self.storage.remove(known, key_of(stored.obj))
        del self.resources[resource.group, resource.version, resource.plural]

    def _mark(self, obj: Json, grace: int) -> bool:
        """Mark an object as being deleted; a second deletion may only shorten its grace."""
        meta = obj["metadata"]
        if "deletionTimestamp" in meta and grace >= meta.get("deletionGracePeriodSeconds", 0):
            return False
        if "deletionTimestamp" not in meta and meta.get("generation"):
            meta["generation"] += 1
        meta["deletionTimestamp"] = rfc3339(self.now() + timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        return True

    def _terminate(self, resource: Resource, obj: Json) -> Json:
        self._mark(obj, 0)
        obj["metadata"].pop("deletionGracePeriodSeconds", None)
        obj["status"] = {"phase": "Terminating"}
        return clone(self.storage.put(resource, obj))

    def _change(self, resource: Resource, before: Json, after: Json, author: Author, *, replaces: bool = False) -> Json:
        meta, old = after["metadata"], before["metadata"]
        name = old["name"]
        if meta.get("resourceVersion") not in (None, "", old["resourceVersion"]):
            raise modified(resource.qualified, name)
        if author.subresource:
            after = with_subresource(before, after, author.subresource)
        elif resource.has_status:
            after = {**{key: value for key, value in after.items() if key != "status"}, **chosen(before, "status")}
        meta = after["metadata"]
        if meta.get("uid") not in (None, "", old["uid"]):
            if not replaces:
                raise invalid(resource.kind, name, [cause("metadata.uid", "Invalid value: field is immutable")])
            why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['uid']}"
            raise conflict(resource.qualified, name, why)
        after["metadata"] = meta = {**meta, **{key: old[key] for key in _KEPT if key in old}}
        meta["resourceVersion"] = old["resourceVersion"]
        after["apiVersion"], after["kind"] = before["apiVersion"], before["kind"]
        after = clone(after)
        never_settles = has_empty_rules(resource, after)
        fill_in(resource, after)
        self._admit(resource, before, after)
        return self._store_change(resource, before, after, author, never_settles=never_settles)

    def _store_change(
        self, resource: Resource, before: Json, after: Json, author: Author, *, never_settles: bool
    ) -> Json:
        if author.operation != "Apply" and author.tracked:
            after = updated(before, after, author, resource)
        if same_but_for_times(before, after) and not never_settles:
            return clone(before)
        differs = wanted_part(before, resource) != wanted_part(after, resource)
        if resource.has_generation and (differs or never_settles):
            after["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
        meta = after["metadata"]
        if "deletionTimestamp" in meta and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds"):
            self.storage.put(resource, after)
            return self.storage.remove(resource, key_of(after))
        return clone(self.storage.put(resource, after))

    def _dress(self, resource: Resource, obj: Json, namespace: str) -> None:
        """Give a new object what only the API server sets."""
        meta = obj["metadata"]
        for name in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"):
            meta.pop(name, None)
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": rfc3339(self.now())}
        if resource.namespaced:
            meta["namespace"] = namespace
        if resource.has_generation:
            meta["generation"] = 1
        fill_in(resource, obj)

    def _stored_new(self, resource: Resource, obj: Json) -> Json:
        if resource.plural == "namespaces":
            obj["status"] = {"phase": "Active"}
        if resource.plural == "customresourcedefinitions":
            self.register(custom_resource(obj))
            accepted = [{"type": name, "status": "True"} for name in ("NamesAccepted", "Established")]
            obj["status"] = {"conditions": accepted}
        return clone(self.storage.put(resource, obj))

    def _admit(self, resource: Resource, before: Json | None, after: Json) -> None:
        check(resource, before, after)
        validator = self.validators.get(resource.plural)
        if causes := validator(after) if validator else []:
            raise invalid(f"{resource.kind}.{resource.group}", after["metadata"]["name"], causes)
        for admit in self.admission:
            admit(resource, before, after)

    def _stored(self, resource: Resource, namespace: str, name: str) -> Stored:
        found = self.storage.get(resource, (namespace, name))
        if found is None:
            raise not_found(resource.qualified, name)
        return found

    def _check_namespace(self, resource: Resource, namespace: str, meta: Json) -> None:
        if not resource.namespaced:
            return
        if meta.get("namespace") not in (None, namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        found = self.storage.get(self.resource("namespaces"), ("", namespace))
        if found is None:
            raise not_found("namespaces", namespace)
        if found.obj["status"]["phase"] == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            told = [cause("metadata.namespace", f"namespace {namespace} is being terminated", "NamespaceTerminating")]
            raise forbidden(resource.qualified, meta["name"], why, told)

    def _check_preconditions(self, resource: Resource, found: Json, wanted: Json) -> None:
        for name, told in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(name) not in (None, found["metadata"][name]):
                why = (
                    f"Precondition failed: {told} in precondition: {wanted[name]}, "
                    f"{told} in object meta: {found['metadata'][name]}"
                )
                raise conflict(resource.qualified, found["metadata"]["name"], why)

    def at(self, group: str, version: str, plural: str) -> Resource:
        """Find the resource at a path."""
        try:
            return self.resources[group, version, plural]
        except KeyError:
            raise no_such_resource() from None

    def exists(self, uid: str, resource: Resource, key: Key) -> bool:
        """Tell whether this very object is there."""
        found = self.storage.get(resource, key)
        return found is not None and found.obj["metadata"]["uid"] == uid
