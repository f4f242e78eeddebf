"""Files on their way from a hub to the disk: several at once, resumed where they stopped, proven before they appear.

The one rule: a file gets its own name only when it is whole, has the checksum that the hub lists, and is on the disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiohttp

from inferfleet.errors import FetchError
from inferfleet.fetch import crowd, disk, failures
from inferfleet.fetch.failures import Transient
from inferfleet.fetch.intake import taken_in
from inferfleet.fetch.layout import Place
from inferfleet.fetch.listing import RemoteFile
from inferfleet.fetch.meter import Meter
from inferfleet.fetch.partial import Partial
from inferfleet.fetch.web import Web

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Everything that the files of one commit need on their way."""

    web: Web
    place: Place
    meter: Meter

    async def all(self, files: Iterable[RemoteFile]) -> None:
        """Bring every file, the largest first; the first failure ends them all."""
        largest_first = sorted(files, key=lambda file: -file.bytes)
        await crowd.each(largest_first, self.web.options.connections, self._bring)

    async def on_disk(self, doing: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that blocks on the disk, and name its errors."""
        try:
            return await asyncio.to_thread(call, *args, **kwargs)
        except OSError as error:
            raise failures.from_disk(error, doing, self.full()) from error

    def full(self) -> FetchError:
        """Say what is missing, should the disk be full."""
        try:
            room = disk.measure(self.place.cache, self.web.options.size_limit)
        except OSError:
            room = disk.Volume(0, 0)
        return failures.disk_full(self.meter.missing, room.free, room.capacity)

    async def _bring(self, file: RemoteFile) -> None:
        path = self.place.partial(file.path)
        await self.on_disk("taking up a file", take_back, self.place, file)
        partial = await self.on_disk("opening a file", Partial, path, file)
        try:
            await self.on_disk("reading a file", partial.take_up, self.meter.kept)
            if not await self._complete(partial, file):
                await self._restart(partial, damaged=True)  # by an earlier run: once more, from its start
                await self._complete(partial, file)
            await self.on_disk("writing a file", partial.sync)
            await self.on_disk("naming a file", disk.publish, path, self.place.root, file.path)
        except FetchError as error:
            if error.reason == "ChecksumMismatch":
                await self.on_disk("removing a damaged file", disk.remove, path)
            raise
        finally:
            partial.close()
        self.meter.file_done()
        log.info("whole: %s, %d bytes", file.path, file.bytes)

    async def _complete(self, partial: Partial, file: RemoteFile) -> bool:
        """Bring what is missing and prove the whole; False when it was begun by an earlier run and is wrong."""
        began = partial.offset
        if partial.offset < file.bytes:
            await self.web.insist(lambda: self._request(partial, file), partial)
        if partial.checksum() == file.expected:
            return True
        if began:
            return False
        raise failures.checksum(file.remote, file.expected, partial.checksum())

    async def _request(self, partial: Partial, file: RemoteFile) -> None:
        """Ask for what is missing, once."""
        url = self.web.endpoint.file(self.web.subject.repository, self.place.commit, file.remote)
        async with (
            self.web.opened("GET", url, path=file.remote, start=partial.offset) as response,
            taken_in(response.content.readany) as pieces,
        ):
            if partial.offset and not _continues(response, partial.offset):
                await self._restart(partial)
                if response.status != 200:
                    raise Transient("cut", "it does not go on where the file ends")
            async for piece in pieces:
                if partial.offset + len(piece) > file.bytes:
                    raise failures.size_mismatch(file.remote, file.bytes, "more")
                await self.on_disk("writing a file", partial.append, piece)
                self.meter.received(len(piece))
        if partial.offset < file.bytes:
            raise Transient("cut", "the other side closed it early")

    async def _restart(self, partial: Partial, *, damaged: bool = False) -> None:
        self.meter.kept(-partial.offset)
        await self.on_disk("writing a file", partial.restart, damaged=damaged)


def take_back(place: Place, file: RemoteFile) -> None:
    """Make a partial file of one that an earlier run finished, so that it is proven again before it is served."""
    target = place.file(file.path)
    disk.make_directories(place.root, str(Path(file.path).parent))
    if target.is_symlink() or not target.is_file():
        disk.remove(target)
    else:
        target.replace(place.partial(file.path))


def bytes_there(place: Place, files: Iterable[RemoteFile]) -> int:
    """Count what lies on the disk of these files, whole or partial."""
    return sum(min(file.bytes, _size(place, file)) for file in files)


def _size(place: Place, file: RemoteFile) -> int:
    for path in (place.file(file.path), place.partial(file.path)):
        try:
            return path.lstat().st_size
        except OSError:
            continue
    return 0


def _continues(response: aiohttp.ClientResponse, offset: int) -> bool:
    """Whether the answer goes on where the file ends; some servers do not know ranges and begin anew."""
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
