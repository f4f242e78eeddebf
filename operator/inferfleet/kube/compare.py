"""Whether a live object holds everything that we render; pure.

The one rule: what the API server, a controller or a user adds beside our fields is no difference, except in lists,
which are ours as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from kubernetes.utils.quantity import parse_quantity

from inferfleet.api.base import Json

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"

# The API server takes numbers and strings here and may keep either.
_INT_OR_STRING = frozenset({"port", "targetPort", "minAvailable", "maxUnavailable"})
# Zero is something else here than nothing.
_STRICT = frozenset({"minAvailable", "maxUnavailable"})
# Lists that others extend, by the key that tells an element of ours.
_SHARED_LISTS = {"metadata.ownerReferences": "uid", "metadata.finalizers": None}


def differs(rendered: Json, live: Json) -> list[str]:
    """List the paths of rendered fields that the live object does not hold."""
    return list(_differences(rendered, live, ()))


def _differences(wanted: Value, found: Value, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            yield from _differences(value, found.get(key), (*path, key))
    elif isinstance(wanted, list) and isinstance(found, list):
        yield from _list_differences(wanted, found, path)
    elif not _same(wanted, found, path):
        yield ".".join(path)


def _list_differences(wanted: list[Value], found: list[Value], path: tuple[str, ...]) -> Iterator[str]:
    name = ".".join(path)
    if name in _SHARED_LISTS:
        found = _matching(wanted, found, _SHARED_LISTS[name])
    if len(wanted) != len(found):
        yield name
        return
    for index, (value, other) in enumerate(zip(wanted, found, strict=True)):
        yield from _differences(value, other, (*path, str(index)))


def _matching(wanted: list[Value], found: list[Value], key: str | None) -> list[Value]:
    """Pick the elements that others' do not matter beside, in our order."""
    if key is None:
        return [value for value in wanted if value in found]
    by_key = {element.get(key): element for element in found if isinstance(element, dict)}
    wanted_keys = [element.get(key) for element in wanted if isinstance(element, dict)]
    return [by_key[name] for name in wanted_keys if name in by_key]


def _same(wanted: Value, found: Value, path: tuple[str, ...]) -> bool:
    if wanted is None:
        return True
    if found is None:
        # The API server leaves out what is empty, zero or false.
        return not wanted and not _STRICT & {*path[-1:]}
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if wanted == found:
        return True
    if _is_quantity(path):
        return _same_quantity(wanted, found)
    return bool(path) and path[-1] in _INT_OR_STRING and str(wanted) == str(found)


def _is_quantity(path: tuple[str, ...]) -> bool:
    """Tell where strings are quantities, so that "1024Mi" is "1Gi"."""
    if path[-2:] == ("emptyDir", "sizeLimit"):
        return True
    return len(path) > 2 and path[-3] == "resources" and path[-2] in ("limits", "requests")


def _same_quantity(wanted: Value, found: Value) -> bool:
    try:
        return bool(parse_quantity(wanted) == parse_quantity(found))  # type: ignore[no-untyped-call]  # - not typed there
    except ValueError:
        return False
