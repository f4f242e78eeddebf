"""The HTTP session to the API server: credentials, meters, and no surprise from the environment.

The one rule: every request of ours and of kopf goes through a session made here, one session for each event loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Protocol

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType, ClientMiddlewareType
from aiohttp.hdrs import AUTHORIZATION
from kubernetes.aio.config import ConfigException

from inferfleet.kube.connection import Connection
from inferfleet.kube.timing import Time

CONNECTIONS = 32
_KEEPALIVE_SECONDS = 30
_CONNECT_SECONDS = 5.0
_REFUSED_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0)


class RequestMeter(Protocol):
    """Counts requests: what was asked of which resource, how it ended (0: no answer) and how long it took."""

    def request(self, verb: str, resource: str, status: int, seconds: float) -> None:
        """Take note of one attempt."""


class Auth:
    """A middleware that adds the credential and reads it again as it ages or is refused."""

    def __init__(self, connection: Connection, time: Time) -> None:
        """Read nothing yet: the first request does."""
        self._connection = connection
        self._time = time
        self._value: str | None = None
        self._read_at = -inf

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        """Send a request, and once more after each delay for as long as the API server answers 401."""
        if self._connection.tls_name is not None:
            request.server_hostname = self._connection.tls_name
        sent = await self._authorize(request)
        response = await handler(request)
        for delay in _REFUSED_DELAYS:
            if response.status != 401 or sent is None:
                break
            response.release()
            await self._time.sleep(delay)
            sent = await self._authorize(request, refused=sent)
            response = await handler(request)
        return response

    async def _authorize(self, request: aiohttp.ClientRequest, refused: str | None = None) -> str | None:
        if self._must_read(refused):
            self._read_at = self._time.monotonic()
            self._value = await self._read(refused is not None)
        if self._value is not None:
            request.headers[AUTHORIZATION] = self._value
        return self._value

    async def _read(self, refused: bool) -> str | None:
        try:
            return await self._connection.credential(refused)
        except (ConfigException, OSError, ValueError, KeyError) as error:
            message = "no credential can be read"
            raise aiohttp.ClientConnectionError(message) from error

    def _must_read(self, refused: str | None) -> bool:
        """Read when the last one is old, or this very one was refused (another request may have read since)."""
        if refused is not None and refused == self._value:
            return True
        return self._time.monotonic() - self._read_at >= self._connection.reread_seconds


def metered(meter: RequestMeter, time: Time) -> ClientMiddlewareType:
    """Make a middleware that reports every attempt to a meter."""

    async def measure(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        begun, status = time.monotonic(), 0
        try:
            response = await handler(request)
            status = response.status
        finally:
            meter.request(request.method, resource_of(request.url.raw_path), status, time.monotonic() - begun)
        return response

    return measure


def resource_of(path: str) -> str:
    """Name the resource (and subresource) of a path: few values, so that it may be a metric's label."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    if not rest:
        return "other"
    return f"{rest[0]}/{rest[2]}" if len(rest) > 2 else rest[0]


def client_session(
    connection: Connection, time: Time, middlewares: Sequence[ClientMiddlewareType] = (), *, limit: int = CONNECTIONS
) -> tuple[str, aiohttp.ClientSession]:
    """Open a session in the running loop: the server's address, and the session, which the caller closes.

    `limit` must exceed the watches and concurrent requests of its users. The first middleware sees a request first;
    `Auth` is put before all of them.
    """
    connector = aiohttp.TCPConnector(limit=limit, ssl=connection.tls or True, keepalive_timeout=_KEEPALIVE_SECONDS)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(Auth(connection, time), *middlewares),
        proxy=connection.proxy,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        trust_env=False,
        # Unpacking costs more than a cluster's network does.
        headers={"User-Agent": "inferfleet", "Accept": "application/json", "Accept-Encoding": "identity"},
    )
    return connection.server, session
