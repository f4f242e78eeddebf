"""Bytes between the network and the disk.

The one rule: what arrived before a connection was cut is handed on before the cut is told. A stream forgets what it
holds at that moment, so it is emptied as fast as it fills, up to a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from inferfleet.fetch.disk import CHUNK

MOST_HELD = 2 * CHUNK

Read = Callable[[], Awaitable[bytes]]
"""Brings what has arrived, nothing at the end."""


@asynccontextmanager
async def taken_in(read: Read) -> AsyncIterator[AsyncIterator[bytes]]:
    """Iterate over what arrives, in pieces of at most a chunk."""
    shelf = _Shelf()
    filling = asyncio.create_task(shelf.fill(read))
    try:
        async with aclosing(shelf.pieces(filling)) as pieces:
            yield pieces
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)


class _Shelf:
    """Bytes that have arrived and are not written yet."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._open = True

    async def fill(self, read: Read) -> None:
        """Take bytes from the network until it ends, one way or the other; nothing is awaited between two reads."""
        try:
            while arrived := await read():
                self._held += arrived
                self._filled.set()
                while len(self._held) >= MOST_HELD:
                    self._emptied.clear()
                    await self._emptied.wait()
        finally:
            self._open = False
            self._filled.set()

    async def pieces(self, filling: asyncio.Task[None]) -> AsyncGenerator[bytes, None]:
        """Hand on what has arrived; raise what ended the filling only after the last byte."""
        while self._held or self._open:
            if not self._held:
                self._filled.clear()
                await self._filled.wait()
                continue
            piece = bytes(self._held[:CHUNK])
            del self._held[:CHUNK]
            self._emptied.set()
            yield piece
        await filling
