"""One request to the API server: rates, time limits, Retry-After, and errors that may be shown.

The one rule: a write is sent only right after `may_write` said yes, and is given up before a rival may lead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.answers import error_of, retry_after
from inferfleet.kube.timing import Time, TokenBucket

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
JSON = "application/json"
_ATTEMPTS = 4
_TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take, how many may pass each second, and how many at once after a pause."""

    read_seconds: float = 30.0
    write_seconds: float = 4.0
    reads: tuple[float, int] = (200.0, 300)
    writes: tuple[float, int] = (50.0, 100)


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Call:
    """A request: a body makes it a write, except that a DELETE always is one."""

    verb: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Json | None = None
    content_type: str = JSON

    @property
    def writes(self) -> bool:
        """Tell whether it changes anything."""
        return self.verb != "GET"


class Transport:
    """Sends calls through one session."""

    def __init__(
        self, server: str, session: aiohttp.ClientSession, time: Time, may_write: Callable[[], bool], limits: Limits
    ) -> None:
        """Keep what every call needs."""
        self._server = server.rstrip("/")
        self._session = session
        self._may_write = may_write
        self._limits = limits
        self._reads = TokenBucket(time, *limits.reads)
        self._writes = TokenBucket(time, *limits.writes)

    async def send(self, call: Call) -> bytes:
        """Send a call and return the body of its answer; wait as asked while there are too many requests."""
        bucket = self._writes if call.writes else self._reads
        for _ in range(_ATTEMPTS):
            await bucket.take()
            status, body, wait = await self._attempt(call)
            if status != _TOO_MANY:
                break
            # The API server limits a user, not a verb.
            self._reads.close_for(wait)
            self._writes.close_for(wait)
        if status >= 400:
            raise error_of(status, body)
        return body

    @asynccontextmanager
    async def stream(self, call: Call, stall_seconds: float) -> AsyncIterator[aiohttp.StreamReader]:
        """Open an answer that does not end; it is given up when nothing arrives for so long."""
        await self._reads.take()
        with _told_in_public(stall_seconds):
            async with asyncio.timeout(self._limits.read_seconds):
                response = await self._request(call, aiohttp.ClientTimeout(total=None, sock_read=stall_seconds))
            try:
                if response.status == _TOO_MANY:
                    self._reads.close_for(retry_after(response.headers.get("Retry-After")))
                if response.status >= 400:
                    raise error_of(response.status, await response.read())
                yield response.content
            finally:
                response.close()

    async def _attempt(self, call: Call) -> tuple[int, bytes, float]:
        if call.writes and not self._may_write():
            raise KubeError("NotLeader", "This replica does not hold the Lease, so that it must not write.")
        limit = self._limits.write_seconds if call.writes else self._limits.read_seconds
        with _told_in_public(limit):
            async with asyncio.timeout(limit):
                response = await self._request(call, aiohttp.ClientTimeout(total=None))
                async with response:
                    body = await response.read()
        return response.status, body, retry_after(response.headers.get("Retry-After"))

    async def _request(self, call: Call, waits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        query = dict(call.query)
        if call.writes:
            # The API server gives up when we do: what it had not done by then, it does not do.
            query["timeout"] = f"{self._limits.write_seconds:g}s"
        return await self._session.request(
            call.verb,
            URL(f"{self._server}{call.path}{_encoded(tuple(query.items()))}", encoded=True),
            data=None if call.body is None else orjson.dumps(call.body),
            headers=None if call.body is None else {"Content-Type": call.content_type},
            timeout=waits,
            allow_redirects=False,
        )


@lru_cache(maxsize=128)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    """Write a query; most requests repeat one of a few."""
    return f"?{urlencode(query)}" if query else ""


@contextmanager
def _told_in_public(limit: float) -> Iterator[None]:
    """Turn what can go wrong on the way into errors that say nothing private."""
    try:
        yield
    except TimeoutError as error:
        raise KubeError("Timeout", f"The API server did not answer within {limit:g} s.") from error
    except (aiohttp.ClientError, OSError) as error:
        raise KubeError("Unreachable", "The API server cannot be reached, or broke off its answer.") from error


def decoded(body: bytes) -> Json:
    """Decode an answer that was a success."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise KubeError("BadAnswer", "The API server's answer is no JSON.") from error
    if not isinstance(answer, dict):
        raise KubeError("BadAnswer", "The API server's answer is no object.")
    return answer
