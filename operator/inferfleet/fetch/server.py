"""The progress server of a download's pod: `/progress`, `/result`, `/healthz`.

The one rule: GET of three paths, small answers, one request for each connection; it tells nothing else to anyone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from inferfleet.errors import FetchError
from inferfleet.fetch.meter import Meter
from inferfleet.fetch.options import FetchOptions
from inferfleet.fleet.weights import Repository

HEADER_BYTES = 4096


class Board:
    """What the server shows, and whether the result has been read."""

    def __init__(self, meter: Meter) -> None:
        """Begin without a result."""
        self._meter = meter
        self._result: bytes | None = None
        self.read = asyncio.Event()

    def show(self, found: Repository) -> None:
        """Put the result up."""
        self._result = found.model_dump_json().encode()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.method != "GET":
            return _say(405, b'{"error":"only GET"}', {"Allow": "GET"})
        if request.path == "/progress":
            return _say(200, self._meter.progress().model_dump_json().encode())
        if request.path == "/healthz":
            return _say(200, b'{"status":"ok"}')
        if request.path != "/result":
            return _say(404, b'{"error":"not found"}')
        if self._result is None:
            return _say(503, b'{"error":"not yet"}', {"Retry-After": "1"})
        response = _say(200, self._result)
        await response.prepare(request)
        await response.write_eof()
        self.read.set()
        return response


@asynccontextmanager
async def serving(options: FetchOptions, meter: Meter) -> AsyncIterator[Board]:
    """Serve while the block runs; nothing is served without a port."""
    board = Board(meter)
    if not options.port:
        yield board
        return
    server = web.Server(
        board.answer, access_log=None, keepalive_timeout=0, max_line_size=HEADER_BYTES, max_field_size=HEADER_BYTES
    )
    runner = web.ServerRunner(server, shutdown_timeout=2)
    await runner.setup()
    try:
        await _listen(runner, options)
        yield board
    finally:
        await runner.cleanup()


async def _listen(runner: web.ServerRunner, options: FetchOptions) -> None:
    try:
        await web.TCPSite(runner, options.bind, options.port, backlog=16).start()
    except OSError as error:
        raise FetchError(
            "PortUnavailable", f"The progress port {options.port} cannot be opened: {error.strerror}. Free it."
        ) from error


def _say(status: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
    response = web.Response(status=status, body=body, headers=headers, content_type="application/json")
    response.force_close()
    return response
