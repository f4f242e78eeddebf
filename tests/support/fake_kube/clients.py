"""Clients for tests, as the process makes them: of the fake, or of any server that a kubeconfig names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic

from aiohttp.client_middlewares import ClientMiddlewareType

from inferfleet.kube.client import Client
from inferfleet.kube.connection import Connection
from inferfleet.kube.session import client_session
from inferfleet.kube.timing import Time
from inferfleet.kube.transport import DEFAULT_LIMITS, Limits

REAL_TIME = Time(monotonic, asyncio.sleep, lambda: 0.5, lambda: datetime.now(UTC))


def connection_to(server: str, token: str | None = None) -> Connection:
    """Name a server without TLS, as the fake is."""

    async def credential(_refused: bool) -> str | None:
        return None if token is None else f"Bearer {token}"

    return Connection(server, None, credential)


@asynccontextmanager
async def open_client(
    connection: Connection,
    time: Time = REAL_TIME,
    *,
    may_write: Callable[[], bool] = lambda: True,
    limits: Limits = DEFAULT_LIMITS,
    middlewares: Sequence[ClientMiddlewareType] = (),
) -> AsyncIterator[Client]:
    """Open a client with a session of its own."""
    server, session = client_session(connection, time, middlewares)
    async with session:
        yield Client(server, session, time, may_write, limits)


class Meter:
    """Remembers what informers and sessions report."""

    def __init__(self) -> None:
        self.heard_at: list[float] = []
        self.listings: list[int] = []
        self.restarts: list[str] = []
        self.requests: list[tuple[str, str, int]] = []

    def heard(self, resource: str, at: float) -> None:
        self.heard_at.append(at)

    def relisted(self, resource: str, objects: int) -> None:
        self.listings.append(objects)

    def restarted(self, resource: str, reason: str) -> None:
        self.restarts.append(reason)

    def request(self, verb: str, resource: str, status: int, seconds: float) -> None:
        self.requests.append((verb, resource, status))


async def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that the other side of a socket does, and fail when it does not happen."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0.002)
