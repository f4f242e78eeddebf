"""What pods serve, on loopback addresses of their own and on the ports that the operator asks.

The one rule: an address answers only while a pod that has it runs.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from inferfleet.fleet.weights import Repository
from inferfleet.serving.progress import PROGRESS_PORT

_PROCESS = os.getpid()
_DOWNLOADS = 16


def pod_network() -> str:
    """Name this process's own part of the loopback network, so that test processes do not meet."""
    return f"127.{1 + _PROCESS % 250}.{_PROCESS // 250 % 250}"


def download_address(number: int) -> str:
    """Name the address of a download's pod."""
    return f"{pod_network()}.{1 + number % _DOWNLOADS}"


def serving_address(number: int) -> str:
    """Name the address of a serving pod, at which nobody listens."""
    return f"{pod_network()}.{100 + number % 150}"


@dataclass
class Downloads:
    """The progress port of every download's pod: it shows what was found, and is told once it was read."""

    runs: Callable[[str], bool]
    read: Callable[[str], None]
    found: Repository
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        address = request.transport.get_extra_info("sockname")[0]
        self.asked.append((address, request.path))
        if request.path != "/result" or not self.runs(address):
            return web.Response(status=404)
        response = web.Response(body=self.found.model_dump_json().encode(), content_type="application/json")
        await response.prepare(request)
        await response.write_eof()
        self.read(address)
        return response


@asynccontextmanager
async def serve_downloads(downloads: Downloads) -> AsyncIterator[None]:
    """Listen at all addresses that downloads may have."""
    runner = web.ServerRunner(web.Server(downloads.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        for number in range(_DOWNLOADS):
            await web.TCPSite(runner, download_address(number), PROGRESS_PORT).start()
        yield
    finally:
        await runner.cleanup()
