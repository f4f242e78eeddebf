"""What happens to one operator's requests on their way: it is killed, or its network is.

The one rule: a killed operator sends nothing more, whatever its tasks still try.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType

from inferfleet.kube.session import resource_of

Mode = Literal["before", "after"]
UNCOUNTED = ("leases", "events")


class Killed(BaseException):
    """The process is gone: no code of the product may catch this."""


def counts(request: aiohttp.ClientRequest) -> bool:
    """Tell whether a request is a write of a beat."""
    return request.method != "GET" and resource_of(request.url.raw_path).split("/")[0] not in UNCOUNTED


@dataclass(slots=True, eq=False)
class Cut:
    """Kills the operator before write number `at` is sent, or after it was carried out and before its answer is read.

    Without a number it only counts.
    """

    at: int | None = None
    mode: Mode = "before"
    counted: int = 0
    killed: bool = False
    """It is dead, of this cut or otherwise."""
    died: bool = False
    """It died of this cut."""

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        self._stay_dead()
        counted = counts(request)
        self.counted += counted
        last = counted and self.counted == self.at
        if last and self.mode == "before":
            self._die()
        response = await handler(request)
        if last:
            response.close()
            self._die()
        if self.killed:
            response.close()
        self._stay_dead()
        return response

    def _die(self) -> None:
        self.died = self.killed = True
        raise Killed

    def _stay_dead(self) -> None:
        if self.killed:
            raise Killed


@dataclass(slots=True, eq=False)
class Line:
    """An operator's own line to the API server, which a test can cut."""

    cut: bool = False
    healed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        if self.cut:
            await self.healed.wait()
        return await handler(request)
