"""JSON merge patch and JSON patch; pure."""

from __future__ import annotations

from inferfleet.api.base import Json
from support.fake_kube.errors import ApiError, bad_request
from support.fake_kube.resources import Value


def merge_patched(live: Value, patch: Value) -> Value:
    """Merge: null removes, lists are replaced."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patched(merged.get(name), value)
    return merged


def json_patched(live: Json, operations: list[Json]) -> Json:
    """Carry out operations on a copy; the caller hands in one."""
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        target: Value = live
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        _carry_out(target, last, operation)
    return live


def _carry_out(target: Value, last: str, operation: Json) -> None:
    name: Value = last if isinstance(target, dict) else len(target) if last == "-" else int(last)
    kind = operation["op"]
    if kind == "test":
        if target[name] != operation["value"]:
            raise ApiError(422, "Invalid", f"testing value {operation['path']} failed: test failed")
    elif kind == "remove":
        del target[name]
    elif kind == "replace" or (kind == "add" and isinstance(target, dict)):
        target[name] = operation["value"]
    elif kind == "add":
        target.insert(name, operation["value"])
    else:
        raise bad_request(f"Unexpected kind: {kind}")
