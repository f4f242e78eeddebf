"""Nothing that arrived is lost when a connection is cut, and no more is held than the bound."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from inferfleet.fetch.disk import CHUNK
from inferfleet.fetch.intake import MOST_HELD, Read, taken_in


def reading(*arrivals: bytes | Exception) -> Read:
    waiting: Iterator[bytes | Exception] = iter(arrivals)

    async def read() -> bytes:
        arrived = next(waiting, b"")
        if isinstance(arrived, Exception):
            raise arrived
        return arrived

    return read


async def test_what_arrived_before_a_cut_is_handed_on_before_the_cut_is_told() -> None:
    got: list[bytes] = []

    async def take() -> None:
        async with taken_in(reading(b"one", b"two", ConnectionResetError())) as pieces:
            async for piece in pieces:
                got.append(piece)
                await asyncio.sleep(0)

    with pytest.raises(ConnectionResetError):
        await take()
    assert b"".join(got) == b"onetwo"


async def test_pieces_are_at_most_a_chunk_and_lose_nothing() -> None:
    whole = bytes(range(256)) * (3 * CHUNK // 256) + b"end"

    async with taken_in(reading(whole)) as pieces:
        got = [piece async for piece in pieces]

    assert b"".join(got) == whole
    assert [len(piece) for piece in got] == [CHUNK, CHUNK, CHUNK, 3]


async def test_a_slow_disk_holds_the_network_back() -> None:
    arrived = 0

    async def read() -> bytes:
        nonlocal arrived
        arrived += CHUNK
        return bytes(CHUNK)

    async with taken_in(read) as pieces:
        async for _ in pieces:
            for _ in range(10):
                await asyncio.sleep(0)
            break

    assert CHUNK <= arrived <= MOST_HELD + CHUNK


async def test_leaving_early_stops_the_reading() -> None:
    stopped = asyncio.Event()

    async def read() -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return b""

    async with taken_in(read):
        await asyncio.sleep(0)

    assert stopped.is_set()
