"""One bounded GET from a pod.

The one rule: an address is a pod's own, port and path are ours, no redirect is followed, and a body has a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import aiohttp
from yarl import URL

SECONDS = 2.0
AT_ONCE = 64
LARGE = 1 << 18


class Reader:
    """Reads small pages from pods; one session for all, made in the loop that uses it."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self, ip: str, port: int, path: str, limit: int, turn: Callable[[], Awaitable[object]] | None = None
    ) -> bytes | None:
        """Read a page of at most `limit` bytes; None when there is no answer that can be used.

        A page that is large waits for its turn, before more of it comes into memory.
        """
        if not is_pod_address(ip):
            return None
        url = URL.build(scheme="http", host=ip, port=port, path=path)
        try:
            async with asyncio.timeout(SECONDS), self._open().get(url, allow_redirects=False) as answer:
                return await _body(answer, limit, turn) if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None

    async def close(self) -> None:
        """Let go of the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # A connection kept open would hold a server that wants to end.
                connector=aiohttp.TCPConnector(limit=AT_ONCE, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def is_pod_address(text: str) -> bool:
    """Tell an address that a pod can have from a name, a metadata service and other places of no pod."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_link_local or address.is_multicast or address.is_unspecified)


async def _body(
    answer: aiohttp.ClientResponse, limit: int, turn: Callable[[], Awaitable[object]] | None
) -> bytes | None:
    found = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        found += chunk
        if len(found) > limit:
            return None
        if turn is not None and len(found) > LARGE:
            await turn()
            turn = None
    return bytes(found)
