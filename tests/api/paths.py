"""Walk through objects and schemas by path, and change one leaf without touching the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inferfleet.api.base import Json

Path = tuple[str | int, ...]


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value that holds no other, and where it stands."""
    inner = list(_children(value))
    if not inner:
        yield path, value
    for key, child in inner:
        yield from leaves(child, (*path, key))


def nodes(value: object, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value, inner ones included, and where it stands."""
    yield path, value
    for key, child in _children(value):
        yield from nodes(child, (*path, key))


def changed(value: Any, path: Path, new: object) -> Any:
    """Copy a value with another one at this path."""
    if not path:
        return new
    step, *rest = path
    if isinstance(value, dict):
        return {**value, step: changed(value.get(step), tuple(rest), new)}
    return [changed(child, tuple(rest), new) if index == step else child for index, child in enumerate(value)]


def schema_at(schema: Json, path: Path) -> Json:
    """Find the schema of what stands at a path."""
    found: Json = schema
    for step in path:
        if isinstance(step, int):
            found = found["items"]
        else:
            found = found.get("properties", {}).get(step) or found.get("additionalProperties", {})
    return found


def fields(schema: Json, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every field that a schema knows; an index is 0, a key of a map `*`."""
    for name, child in schema.get("properties", {}).items():
        yield (*path, name)
        yield from fields(child, (*path, name))
    if "items" in schema:
        yield from fields(schema["items"], (*path, 0))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from fields(schema["additionalProperties"], (*path, "*"))


def _children(value: object) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    if isinstance(value, list):
        yield from enumerate(value)
