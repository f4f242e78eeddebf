"""Reads how far downloads are, and what they found, from the pods of their Jobs.

The one rule: it is a pod of ours and is still not trusted: bounded bodies, fixed paths, models that check, and a bound
on what all of them together may hold.
"""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from inferfleet.fleet.weights import Progress, Repository
from inferfleet.serving.rounds import Clock, Rounds
from inferfleet.serving.web import LARGE, Reader

M = TypeVar("M", bound=BaseModel)

PROGRESS_PORT = 8080
EVERY = 2.0
AT_ONCE = 32
LARGEST_PROGRESS = 4096
LARGEST_RESULT = 24 << 20
"""256 models with the longest texts that a result may carry."""
RESULT, MODEL = 4096, 1024
"""Bytes of what is not text."""
MOST_HELD = 64 << 20
"""Bytes of all results together; what was not asked for longest goes, and is read again if it is asked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """A download's pod."""

    uid: str
    ip: str


class ProgressReader:
    """Keeps the last progress and the result of every download, by the uid of its pod."""

    def __init__(self, clock: Clock, wake: Callable[[Any], None], port: int = PROGRESS_PORT) -> None:
        """Know nothing yet; `wake` is told of a key whose download moved on."""
        self._wake = wake
        self._port = port
        self._keys: dict[Place, Hashable] = {}
        self._uids: dict[Hashable, set[str]] = {}
        self._progress: dict[str, Progress] = {}
        self._found: OrderedDict[str, Repository] = OrderedDict()
        """Results, the one that was asked for last at the end."""
        self._held = 0
        self._dropped: set[str] = set()
        self._large = asyncio.Semaphore(1)
        self._reader = Reader()
        self.rounds: Rounds[Place] = Rounds(clock, self._visit, AT_ONCE)

    def watch(self, key: Hashable, pods: Iterable[tuple[str, str]]) -> None:
        """Say which download pods of a key there are now, by uid and address; an empty address is not asked yet."""
        known = tuple(pods)
        places = [Place(uid, ip) for uid, ip in known if ip]
        self._keys |= dict.fromkeys(places, key)
        for gone in self.rounds.watch(key, places):
            del self._keys[gone]
        before, now = self._uids.pop(key, set()), {uid for uid, _ in known}
        if now:
            self._uids[key] = now
        for uid in before - now:
            self._progress.pop(uid, None)
            self._dropped.discard(uid)
            self._drop(uid)

    def progress(self, uid: str) -> Progress | None:
        """Say how far a download is."""
        return self._progress.get(uid)

    def repository(self, uid: str) -> Repository | None:
        """Say what a download found; what was dropped is read again, if its pod still shows it."""
        if uid in self._found:
            self._found.move_to_end(uid)
        elif uid in self._dropped:
            self._dropped.discard(uid)
            for place in [each for each in self._keys if each.uid == uid]:
                self.rounds.again(place)
        return self._found.get(uid)

    async def run(self) -> NoReturn:
        """Read for ever."""
        try:
            await self.rounds.run()
        finally:
            await self._reader.close()

    async def _visit(self, place: Place) -> float | None:
        if place.uid in self._found:
            return None
        found = await self._read(place, "/result", Repository, LARGEST_RESULT)
        if found is not None:
            self._keep(place, found)
            self._wake(self._keys[place])
            return None
        progress = await self._read(place, "/progress", Progress, LARGEST_PROGRESS)
        if progress is not None and progress != self._progress.get(place.uid):
            self._progress[place.uid] = progress
            self._wake(self._keys[place])
        return EVERY

    def _keep(self, place: Place, found: Repository) -> None:
        """Keep a result, and drop others until all of them together are within their bound."""
        self._drop(place.uid)
        if weight(found) > MOST_HELD:
            return
        self._found[place.uid] = found
        self._held += weight(found)
        while self._held > MOST_HELD:
            oldest = next(iter(self._found))
            self._dropped.add(oldest)
            self._drop(oldest)

    def _drop(self, uid: str) -> None:
        found = self._found.pop(uid, None)
        self._held -= weight(found) if found else 0

    async def _read(self, place: Place, path: str, model: type[M], limit: int) -> M | None:
        """Read a page; of large ones there is one in memory at a time, until it has been checked."""
        async with AsyncExitStack() as held:
            body = await self._reader.get(
                place.ip, self._port, path, limit, lambda: held.enter_async_context(self._large)
            )
            if body is None:
                return None
            try:
                if len(body) > LARGE:
                    return await asyncio.to_thread(model.model_validate_json, body)
                return model.model_validate_json(body)
            except ValidationError:
                return None


def weight(found: Repository) -> int:
    """Count the bytes that a result takes; a single character can make four bytes of each in its text."""
    texts = [text for model in found.models for text in (model.config, model.probe, *model.files) if text]
    return RESULT + MODEL * len(found.models) + sum(map(sys.getsizeof, texts))
