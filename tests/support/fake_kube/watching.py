"""Watches: what a client sees of the history, bookmarks, and the ways in which a watch ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import orjson

from support.fake_kube.asked import Asked
from support.fake_kube.errors import ApiError, expired
from support.fake_kube.resources import Resource
from support.fake_kube.selectors import Matches, selector
from support.fake_kube.storage import Change, Storage, Stored, at_version

BOOKMARK_SECONDS = 60.0
LAST_BOOKMARK_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class Watch:
    """One open stream, and what a test did to it."""

    resource: Resource
    namespace: str
    fits: Matches
    version: int
    begun: float
    timeout: float
    bookmarks: bool
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    frozen: bool = False
    ended: bool = False
    broken: bool = False
    bookmark_now: bool = False


def open_watch(asked: Asked, storage: Storage, now: float) -> tuple[Watch, list[bytes]]:
    """Begin a watch: with no version, or 0, it first shows what there is."""
    assert asked.resource is not None
    fits = selector(asked.query.get("labelSelector"), asked.query.get("fieldSelector"))
    fits = _named(fits, asked.name)
    wanted = asked.query.get("resourceVersion") or "0"
    timeout = float(asked.query.get("timeoutSeconds") or 1800)
    bookmarks = asked.query.get("allowWatchBookmarks") in ("1", "true")
    version = int(wanted) or storage.version
    watch = Watch(asked.resource, asked.namespace, fits, version, now, timeout, bookmarks)
    if wanted == "0":
        found = storage.all(asked.resource, asked.namespace or None)
        return watch, [line("ADDED", stored) for stored in found if fits(stored.obj)]
    if version < storage.compacted:
        watch.ended = True
        return watch, [error_line(expired(f"too old resource version: {version} ({storage.compacted})"))]
    return watch, []


async def follow(watch: Watch, storage: Storage, clock: Callable[[], float]) -> AsyncIterator[list[bytes]]:
    """Show what happens until the watch ends; an empty list is no news."""
    next_bookmark = min(watch.begun + BOOKMARK_SECONDS, watch.begun + watch.timeout - LAST_BOOKMARK_SECONDS)
    while not watch.broken:
        watch.woken.clear()
        if not watch.frozen:
            news = list(_news(watch, storage))
            if watch.bookmarks and (clock() >= next_bookmark or watch.bookmark_now):
                next_bookmark, watch.bookmark_now = clock() + BOOKMARK_SECONDS, False
                news.append(_bookmark(watch, storage.version))
            if news:
                yield news
                continue
        if watch.ended or clock() - watch.begun >= watch.timeout:
            return
        await watch.woken.wait()


def line(kind: str, stored: Stored) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), stored.raw)


def error_line(error: ApiError) -> bytes:
    return orjson.dumps({"type": "ERROR", "object": error.status}) + b"\n"


def _news(watch: Watch, storage: Storage) -> Iterator[bytes]:
    for change in storage.since(watch.version):
        watch.version = change.version
        if change.resource is watch.resource and watch.namespace in ("", change.namespace):
            yield from _shown(watch, change)


def _shown(watch: Watch, change: Change) -> Iterator[bytes]:
    """Show a change as this watch sees it: an object may come into its selector, and leave it."""
    was = change.before is not None and watch.fits(change.before.obj)
    if change.after is not None and watch.fits(change.after.obj):
        yield line("MODIFIED" if was else "ADDED", change.after)
    elif was and change.before is not None:
        yield line("DELETED", at_version(change.before, change.version))


def _named(fits: Matches, name: str) -> Matches:
    return fits if not name else lambda obj: obj["metadata"]["name"] == name and fits(obj)


def _bookmark(watch: Watch, version: int) -> bytes:
    resource = watch.resource
    empty = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"resourceVersion": str(version)}}
    return orjson.dumps({"type": "BOOKMARK", "object": empty}) + b"\n"
