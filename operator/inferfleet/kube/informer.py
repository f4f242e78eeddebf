"""Keeps a store equal to the API server: one listing, then a watch that is resumed for as long as that is possible.

The one rule: a listing is compared with the store, so that what vanished unseen is told as deleted; and nothing that
the API server does ends an informer.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, NoReturn, Protocol, TypeVar

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.answers import VERSION_TOO_LARGE
from inferfleet.kube.client import EVERYWHERE, GONE, NOT_FOUND, STALL_SECONDS, Client, Scope
from inferfleet.kube.kinds import Kind
from inferfleet.kube.store import Store, version_of
from inferfleet.kube.timing import Backoff, Time

T = TypeVar("T")
logger = logging.getLogger(__name__)

_CHUNK = 50
_SHORTEST_WATCH, _LONGEST_WATCH = 240, 300
_FIRST_RELIST, _LONGEST_RELIST = 1.0, 30.0
_FIRST_RESTART, _LONGEST_RESTART = 0.5, 4.0
_NEWEST = 2**63
_HEALTHY_SECONDS = 30.0
_REWOUND = "HistoryRewound"
_LIST_AGAIN = frozenset({"EventTooLarge", VERSION_TOO_LARGE, _REWOUND})


class InformerMeter(Protocol):
    """Counts what an informer does, by the plural name of its kind."""

    def heard(self, resource: str, at: float) -> None:
        """Take note that the API server said something: a listing, an event or a bookmark."""

    def relisted(self, resource: str, objects: int) -> None:
        """Take note of a listing."""

    def restarted(self, resource: str, reason: str) -> None:
        """Take note that a watch broke off."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What an informer follows and how long it may hear nothing; the API server sends a bookmark each minute."""

    kind: Kind
    scope: Scope = EVERYWHERE
    stall_seconds: float = STALL_SECONDS


class Informer(Generic[T]):
    """Follows one kind of object in one scope."""

    def __init__(self, client: Client, watched: Watched, store: Store[T], time: Time, meter: InformerMeter) -> None:
        """Prepare; `run` does the work."""
        self._client = client
        self._watched = watched
        self._store = store
        self._time = time
        self._meter = meter
        self._relist = Backoff(time, _FIRST_RELIST, _LONGEST_RELIST)
        self._restart = Backoff(time, _FIRST_RESTART, _LONGEST_RESTART)
        self._version: int | None = None
        self._must_list = True
        self._told = 0
        self._trouble: str | None = None
        self.synced = asyncio.Event()

    async def run(self) -> NoReturn:
        """Follow for ever; ends only by being cancelled."""
        while True:
            try:
                if self._must_list:
                    await self._list()
                await self._watch()
            except KubeError as error:
                await self._recover(error)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                # Not what an API server says: a proxy's page, or an object that is none.
                message = f"An answer made no sense ({type(error).__name__})."
                await self._recover(KubeError("BadAnswer", message))

    async def _recover(self, error: KubeError) -> None:
        """Begin again with a listing where resuming would miss something; else resume."""
        resource = self._watched.kind.plural
        self._meter.restarted(resource, error.reason)
        if error.reason != self._trouble:
            logger.warning("The watch of %s broke off: %s", resource, error)
        self._trouble = error.reason
        expired = error.status == GONE or error.reason in _LIST_AGAIN
        # 404: the kind itself is gone, and may come back with objects that the old version knows nothing of.
        self._must_list = self._must_list or expired or error.status == NOT_FOUND
        await (self._relist if expired else self._restart).wait()

    async def _list(self) -> None:
        """Take in a listing, page by page, and then what it does not hold."""
        listed: set[str] = set()
        version, rewound = 0, False
        async with aclosing(self._client.pages(self._watched.kind, self._watched.scope)) as pages:
            async for page in pages:
                version = int(page.version)
                rewound = self._version is not None and version < self._version
                await self._take_in(page.items, listed, rewound=rewound)
        self._store.retain(listed, _NEWEST if rewound else version, self._watched.scope.namespace)
        self._version = version
        self._must_list = False
        self._restart.reset()
        self._meter.relisted(self._watched.kind.plural, len(listed))
        self._heard()
        self.synced.set()

    async def _take_in(self, items: list[Json], listed: set[str], *, rewound: bool) -> None:
        for item in items:
            listed.add(item["metadata"]["uid"])
            self._store.learn(item, rewound=rewound)
            await self._let_others_run()

    async def _watch(self) -> None:
        """Resume after the last version; every event moves it."""
        seconds = _SHORTEST_WATCH + int(self._time.chance() * (_LONGEST_WATCH - _SHORTEST_WATCH + 1))
        watched, begun = self._watched, self._time.monotonic()
        stream = self._client.watch(watched.kind, watched.scope, str(self._version), seconds, watched.stall_seconds)
        async with aclosing(stream) as events:
            async for event in events:
                self._tell(event)
                if self._time.monotonic() - begun >= _HEALTHY_SECONDS:
                    self._relist.reset()
                    self._restart.reset()
                await self._let_others_run()
        if self._time.monotonic() - begun < _FIRST_RESTART:
            await self._restart.wait()

    def _tell(self, event: Json) -> None:
        kind, raw = event["type"], event["object"]
        version = version_of(raw)
        if kind == "DELETED":
            self._store.forget(raw)
        elif kind != "BOOKMARK":
            self._store.learn(raw)
        elif version < (self._version or 0):
            raise KubeError(_REWOUND, "The API server is behind what it said before.")
        self._version = max(self._version or 0, version)
        self._trouble = None
        self._heard()

    def _heard(self) -> None:
        self._meter.heard(self._watched.kind.plural, self._time.monotonic())

    async def _let_others_run(self) -> None:
        """Give way after each chunk: decoding must not hold up the Lease."""
        self._told += 1
        if self._told % _CHUNK == 0:
            await asyncio.sleep(0)
