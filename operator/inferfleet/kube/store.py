"""What we believe the API server holds: one kind's objects, decoded, by name and by an index of the caller's.

The one rule: nothing older replaces anything newer. Versions of one kind are compared as the numbers that they are.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from inferfleet.api.base import Json

T = TypeVar("T")
logger = logging.getLogger(__name__)
Key = tuple[str, str]
Decode = Callable[[Json], T | None]
"""Keeps what matters of an object; None: nothing of it does."""
OnChange = Callable[[T | None, T | None], None]
"""Told the object before and after: None before is new, None after is gone."""

_REMEMBERED_DELETIONS = 4096


@dataclass(slots=True)
class _Entry(Generic[T]):
    uid: str
    version: int
    index: str | None
    value: T


class Store(Generic[T]):
    """A cache of one kind's objects that tells of every change."""

    def __init__(
        self, decode: Decode[T], on_change: OnChange[T] | None = None, index_by: Callable[[T], str | None] | None = None
    ) -> None:
        """Start empty."""
        self._decode = decode
        self._on_change = on_change
        self._index_by = index_by
        self._entries: dict[Key, _Entry[T]] = {}
        self._by_index: dict[str, set[Key]] = {}
        self._deleted: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        """Go over a copy: the store may change meanwhile."""
        return iter([entry.value for entry in self._entries.values()])

    def get(self, namespace: str, name: str) -> T | None:
        """Find an object by name."""
        entry = self._entries.get((namespace, name))
        return None if entry is None else entry.value

    def indexed(self, key: str) -> list[T]:
        """List the objects for which the caller's index function gave this key, by name."""
        return [self._entries[each].value for each in sorted(self._by_index.get(key, ()))]

    def learn(self, raw: Json, *, rewound: bool = False) -> None:
        """Take in an object as the API server just showed it, unless something newer of this name is known.

        `rewound` says that the API server's history went back, after a restore, so that lower versions are newer.
        """
        meta = raw["metadata"]
        key, uid, version = _key(raw), meta["uid"], version_of(raw)
        held = self._entries.get(key)
        if rewound:
            self._deleted.pop(uid, None)
        elif version <= max(self._deleted.get(uid, 0), held.version if held else 0):
            return
        try:
            value = self._decode(raw)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # One object that we do not understand must not keep the others from us: what we knew of it stays.
            # The error itself may quote the object.
            logger.warning("%s/%s cannot be decoded (%s).", *key, type(error).__name__)
            return
        if held is not None and (value is None or held.uid != uid):
            self._remember_deletion(held.uid, version)
            self._remove(key, held)
            held = None
        if value is not None:
            self._put(key, _Entry(uid, version, self._index(value), value), held)

    def forget(self, raw: Json) -> None:
        """Take in that this object was deleted; what is newer stays, and may be an object of the same name."""
        key, uid, version = _key(raw), raw["metadata"]["uid"], version_of(raw)
        self._remember_deletion(uid, version)
        held = self._entries.get(key)
        if held is not None and held.version <= version:
            self._remove(key, held)

    def retain(self, listed: set[str], version: int, namespace: str | None = None) -> None:
        """Take in a whole listing of a namespace, or of all, made at this version.

        What it did not show, by uid, is gone, unless it was learned since. Several informers may fill one store.
        """
        for key, entry in list(self._entries.items()):
            inside = namespace is None or key[0] == namespace
            if inside and entry.uid not in listed and entry.version <= version:
                self._remember_deletion(entry.uid, version)
                self._remove(key, entry)

    def _put(self, key: Key, entry: _Entry[T], held: _Entry[T] | None) -> None:
        if held is not None:
            self._unindex(key, held)
        self._entries[key] = entry
        if entry.index is not None:
            self._by_index.setdefault(entry.index, set()).add(key)
        before = None if held is None else held.value
        if self._on_change is not None and before != entry.value:
            self._on_change(before, entry.value)

    def _remove(self, key: Key, entry: _Entry[T]) -> None:
        del self._entries[key]
        self._unindex(key, entry)
        if self._on_change is not None:
            self._on_change(entry.value, None)

    def _unindex(self, key: Key, entry: _Entry[T]) -> None:
        if entry.index is not None:
            self._by_index[entry.index].discard(key)
            if not self._by_index[entry.index]:
                del self._by_index[entry.index]

    def _remember_deletion(self, uid: str, version: int) -> None:
        """Keep the newest deletions, so that the late answer of a write of ours brings nothing back.

        A watch with a selector also says DELETED of an object that left it: that one may come back, at a later version.
        """
        self._deleted[uid] = max(version, self._deleted.get(uid, 0))
        self._deleted.move_to_end(uid)
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)

    def _index(self, value: T) -> str | None:
        return None if self._index_by is None else self._index_by(value)


def version_of(raw: Json) -> int:
    """Read an object's version."""
    return int(raw["metadata"]["resourceVersion"])


def _key(raw: Json) -> Key:
    meta = raw["metadata"]
    return meta.get("namespace") or "", meta["name"]
