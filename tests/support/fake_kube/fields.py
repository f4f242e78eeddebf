"""Who owns which field: sets of field paths, in the notation of `managedFields`.

A path is a tuple of elements: `f:name`, `k:{"name":"x"}` for an element of a keyed list, `v:"x"` for one of a set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from inferfleet.api.base import Json
from support.fake_kube.resources import ATOMIC, SET, MergeKeys, Resource, Value

Path = tuple[str, ...]

_UNOWNED = {
    ("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace"), ("f:metadata", "f:uid"),
    ("f:metadata", "f:creationTimestamp"), ("f:metadata", "f:generation"), ("f:metadata", "f:resourceVersion"),
    ("f:metadata", "f:deletionTimestamp"),
    ("f:metadata", "f:deletionGracePeriodSeconds"),
}  # fmt: skip
_DEFAULTED_KEYS = {"protocol": "TCP"}


@dataclass(slots=True)
class Owner:
    """What one manager owns by one kind of operation on one part of the object."""

    manager: str
    operation: str
    subresource: str
    api_version: str
    time: str
    paths: set[Path]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.manager, self.operation, self.subresource


def fields_of(obj: Json, resource: Resource) -> dict[Path, Value]:
    """Map every field that can be owned to its value; an element of a list is a field of its own, without a value."""
    found: dict[Path, Value] = {}
    for name, child in obj.items():
        if name != "metadata":
            _collect(child, resource, (name,), (f"f:{name}",), found)
    for name, child in obj.get("metadata", {}).items():
        if name != "managedFields":
            _collect(child, resource, ("metadata", name), ("f:metadata", f"f:{name}"), found)
    for path in _UNOWNED & found.keys():
        del found[path]
    return found


def _collect(value: Value, resource: Resource, names: MergeKeys, path: Path, found: dict[Path, Value]) -> None:
    """Add a value's fields; not by generators, in which a fake would spend most of its time."""
    if isinstance(value, dict) and value and not resource.is_atomic_map(names):
        for name, child in value.items():
            _collect(child, resource, (*names, name), (*path, f"f:{name}"), found)
        return
    keys = resource.merge_keys(names) if isinstance(value, list) else ATOMIC
    if keys == ATOMIC or not value:
        found[path] = value
        return
    for element in value:
        inner = (*path, element_name(element, keys))
        found[inner] = None
        if keys != SET:
            for name, child in element.items():
                _collect(child, resource, (*names, name), (*inner, f"f:{name}"), found)


def element_name(element: Value, keys: MergeKeys) -> str:
    """Name an element of a list as `managedFields` does."""
    if keys == SET:
        return f"v:{orjson.dumps(element).decode()}"
    named = {key: element.get(key, _DEFAULTED_KEYS.get(key)) for key in keys}
    return f"k:{orjson.dumps(named, option=orjson.OPT_SORT_KEYS).decode()}"


def merge(live: Value, applied: Value, resource: Resource, names: MergeKeys = ()) -> Value:
    """Lay an applied configuration over a live object."""
    if isinstance(applied, dict) and isinstance(live, dict) and not (names and resource.is_atomic_map(names)):
        merged = dict(live)
        for name, value in applied.items():
            merged[name] = merge(live.get(name), value, resource, (*names, name))
        return merged
    if isinstance(applied, list) and isinstance(live, list):
        keys = resource.merge_keys(names)
        return applied if keys == ATOMIC else _merge_lists(live, applied, resource, names, keys)
    return applied


def _merge_lists(
    live: list[Value], applied: list[Value], resource: Resource, names: MergeKeys, keys: MergeKeys
) -> Value:
    mine = {element_name(element, keys): element for element in applied}
    theirs = {element_name(element, keys): element for element in live}
    merged = [mine[name] if keys == SET else merge(theirs.get(name, {}), mine[name], resource, names) for name in mine]
    return merged + [element for name, element in theirs.items() if name not in mine]


def remove(obj: Json, path: Path, resource: Resource) -> None:
    """Remove a field or an element, and what it leaves empty above it, except metadata."""
    trail: list[tuple[Value, Value]] = []
    value: Value = obj
    names: MergeKeys = ()
    for step in path:
        where = _find(value, step, resource.merge_keys(names) if names else ATOMIC)
        if where is None:
            return
        trail.append((value, where))
        value = value[where]
        names = (*names, step[2:]) if step.startswith("f:") else names
    container, where = trail.pop()
    del container[where]
    for parent, key in reversed(trail):
        if parent[key] or parent is obj:
            break
        del parent[key]


def _find(value: Value, step: str, keys: MergeKeys) -> Value:
    """Find where in a map or list an element of a path is."""
    if step.startswith("f:"):
        return step[2:] if isinstance(value, dict) and step[2:] in value else None
    if not isinstance(value, list):
        return None
    return next((index for index, element in enumerate(value) if element_name(element, keys) == step), None)


def read_owners(obj: Json) -> list[Owner]:
    """Read `managedFields`."""
    return [
        Owner(
            entry["manager"],
            entry["operation"],
            entry.get("subresource", ""),
            entry["apiVersion"],
            entry["time"],
            set(_read_set(entry["fieldsV1"], ())),
        )
        for entry in obj["metadata"].get("managedFields") or []
    ]


def write_owners(owners: list[Owner]) -> list[Json]:
    """Write `managedFields`; who owns nothing is left out."""
    return [
        {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": owner.api_version,
            "time": owner.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _write_set(owner.paths),
        }
        | ({"subresource": owner.subresource} if owner.subresource else {})
        for owner in owners
        if owner.paths
    ]


def _read_set(node: Json, path: Path) -> Iterator[Path]:
    if not node:
        yield path
    for step, child in node.items():
        if step == ".":
            yield path
        else:
            yield from _read_set(child, (*path, step))


def _write_set(paths: set[Path]) -> Json:
    root: Json = {}
    for path in sorted(paths):
        node = root
        for step in path:
            node = node.setdefault(step, {})
    for path in paths:
        node = root
        for step in path:
            node = node[step]
        if node:
            node["."] = {}
    return root
