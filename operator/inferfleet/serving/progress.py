"""Reads how far downloads are, and what they found, from the pods of their Jobs.

The one rule: it is a pod of ours and is still not trusted: bounded bodies, fixed paths, and models that check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from inferfleet.fleet.weights import Progress, Repository
from inferfleet.serving.rounds import Clock, Rounds
from inferfleet.serving.web import Reader

M = TypeVar("M", bound=BaseModel)

PROGRESS_PORT = 8080
EVERY = 2.0
AT_ONCE = 32
LARGEST_PROGRESS = 4096
LARGEST_RESULT = 24 << 20
"""256 models with the longest texts that a result may carry."""
LARGE = 1 << 18


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
        self._found: dict[str, Repository] = {}
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
            self._found.pop(uid, None)

    def progress(self, uid: str) -> Progress | None:
        """Say how far a download is."""
        return self._progress.get(uid)

    def repository(self, uid: str) -> Repository | None:
        """Say what a download found."""
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
            self._found[place.uid] = found
            self._wake(self._keys[place])
            return None
        progress = await self._read(place, "/progress", Progress, LARGEST_PROGRESS)
        if progress is not None and progress != self._progress.get(place.uid):
            self._progress[place.uid] = progress
            self._wake(self._keys[place])
        return EVERY

    async def _read(self, place: Place, path: str, model: type[M], limit: int) -> M | None:
        body = await self._reader.get(place.ip, self._port, path, limit)
        if body is None:
            return None
        try:
            if len(body) > LARGE:
                return await asyncio.to_thread(model.model_validate_json, body)
            return model.model_validate_json(body)
        except ValidationError:
            return None
