"""What the API server keeps: objects, their versions, and the history that watches read.

The one rule: a stored object is never changed in place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from inferfleet.api.base import Json
from support.fake_kube.resources import Resource

Key = tuple[str, str]


def clone(value: Json) -> Json:
    """Copy a JSON object through and through."""
    copy: Json = orjson.loads(orjson.dumps(value))
    return copy


def key_of(obj: Json) -> Key:
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]


@dataclass(frozen=True, slots=True)
class Stored:
    """An object and its bytes."""

    obj: Json
    raw: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an object at a version; a deletion keeps the last state."""

    version: int
    resource: Resource
    before: Stored | None
    after: Stored | None

    @property
    def namespace(self) -> str:
        stored = self.after or self.before
        assert stored is not None
        return stored.obj["metadata"].get("namespace") or ""


class Storage:
    """Objects by resource and name."""

    def __init__(self) -> None:
        self.version = 1000
        self.compacted = 1000
        self._objects: dict[Resource, dict[str, dict[str, Stored]]] = {}
        self._history: list[Change] = []
        self._listeners: list[Callable[[Change], None]] = []
        self.dependents: dict[str, set[tuple[Resource, Key]]] = {}
        self.by_uid: dict[str, tuple[Resource, Key]] = {}

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def get(self, resource: Resource, key: Key) -> Stored | None:
        return self._objects.get(resource, {}).get(key[0], {}).get(key[1])

    def all(self, resource: Resource, namespace: str | None = None) -> list[Stored]:
        """List objects by namespace and name."""
        spaces = self._objects.get(resource, {})
        chosen = sorted(spaces) if namespace is None else [namespace]
        return [spaces[space][name] for space in chosen for name in sorted(spaces.get(space, ()))]

    def put(self, resource: Resource, obj: Json) -> Json:
        """Store a new state at the next version."""
        key = key_of(obj)
        before = self.get(resource, key)
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        after = Stored(obj, _encoded(obj))
        self._objects.setdefault(resource, {}).setdefault(key[0], {})[key[1]] = after
        self.by_uid[obj["metadata"]["uid"]] = (resource, key)
        self._index(resource, key, before, after)
        self._record(Change(self.version, resource, before, after))
        return obj

    def remove(self, resource: Resource, key: Key) -> Json:
        """Remove an object; its last state carries the version of the deletion."""
        before = self._objects[resource][key[0]].pop(key[1])
        del self.by_uid[before.obj["metadata"]["uid"]]
        self.version += 1
        last = at_version(before, self.version)
        self._index(resource, key, before, None)
        self._record(Change(self.version, resource, last, None))
        return clone(last.obj)

    def since(self, version: int) -> list[Change]:
        """List the changes after a version."""
        return self._history[bisect_right(self._history, version, key=lambda change: change.version) :]

    def compact(self) -> None:
        """Let no new watch begin at an older version; streams that are open go on."""
        self.compacted = self.version

    def forget(self, kept: int) -> None:
        """Compact away all but the newest changes, so that a long run fits into memory."""
        if len(self._history) > kept:
            self.compacted = self._history[-kept - 1].version
            del self._history[:-kept]

    def rewind(self, versions: int) -> None:
        """Go back to a lower version without a history; every object is renumbered below it."""
        self.version -= versions
        self.compacted = self.version
        self._history.clear()
        for objects in [named for spaces in self._objects.values() for named in spaces.values()]:
            for name, stored in objects.items():
                objects[name] = at_version(stored, min(self.version, int(stored.obj["metadata"]["resourceVersion"])))

    def _record(self, change: Change) -> None:
        self._history.append(change)
        for listener in self._listeners:
            listener(change)

    def _index(self, resource: Resource, key: Key, before: Stored | None, after: Stored | None) -> None:
        for uid in owner_uids(before):
            self.dependents[uid].discard((resource, key))
        for uid in owner_uids(after):
            self.dependents.setdefault(uid, set()).add((resource, key))


def _encoded(obj: Json) -> bytes:
    """Encode with the type first, so that a listing can leave it out."""
    return orjson.dumps({"apiVersion": obj["apiVersion"], "kind": obj["kind"], **obj})


def at_version(stored: Stored, version: int) -> Stored:
    """Show a state as of another version."""
    obj = {**stored.obj, "metadata": {**stored.obj["metadata"], "resourceVersion": str(version)}}
    return Stored(obj, _encoded(obj))


def owner_uids(stored: Stored | None) -> Iterator[str]:
    references = [] if stored is None else stored.obj["metadata"].get("ownerReferences") or []
    return (reference["uid"] for reference in references)
