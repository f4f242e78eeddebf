"""Listings in pages, all pages of one moment."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import orjson

from inferfleet.api.base import Json
from support.fake_kube.asked import Asked
from support.fake_kube.errors import bad_request, expired
from support.fake_kube.resources import Resource
from support.fake_kube.selectors import selector
from support.fake_kube.storage import Storage, Stored


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a listing."""

    version: int
    items: list[Stored]


def list_objects(storage: Storage, pages: dict[str, Rest], asked: Asked) -> bytes:
    """Answer a LIST, with a token for the rest when it is cut by `limit`."""
    assert asked.resource is not None
    token, limit = asked.query.get("continue"), int(asked.query.get("limit") or 0)
    rest = _resumed(storage, pages, token) if token else _first(storage, asked)
    shown, left = (rest.items[:limit], rest.items[limit:]) if limit else (rest.items, [])
    meta: Json = {"resourceVersion": str(rest.version)}
    if left:
        following = uuid4().hex
        pages[following] = Rest(rest.version, left)
        meta |= {"continue": following, "remainingItemCount": len(left)}
    return _encoded(asked.resource, meta, shown)


def _first(storage: Storage, asked: Asked) -> Rest:
    assert asked.resource is not None
    fits = selector(asked.query.get("labelSelector"), asked.query.get("fieldSelector"))
    found = storage.all(asked.resource, asked.namespace or None)
    return Rest(storage.version, [stored for stored in found if fits(stored.obj)])


def _resumed(storage: Storage, pages: dict[str, Rest], token: str) -> Rest:
    rest = pages.get(token)
    if rest is None:
        raise bad_request("continue key is not valid")
    if rest.version < storage.compacted:
        told = "The provided continue parameter is too old to display a consistent list result."
        raise expired(told)
    return rest


def _encoded(resource: Resource, meta: Json, shown: list[Stored]) -> bytes:
    """Join what is encoded already; items of built-in kinds do not repeat their type."""
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": meta}
    typed = orjson.dumps({"apiVersion": resource.api_version, "kind": resource.kind})[:-1] + b","
    skipped = 0 if resource.full else len(typed)
    items = b",".join(stored.raw if not skipped else b"{" + stored.raw[skipped:] for stored in shown)
    return orjson.dumps(head)[:-1] + b',"items":[' + items + b"]}"
