"""Probes and metrics over HTTP.

The one rule: /livez says whether this process can still do its work, /readyz whether it does or stands by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.Response]]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Health:
    """What is asked when somebody probes."""

    live: Callable[[], bool]
    ready: Callable[[], bool]
    metrics: Callable[[], bytes]


async def serve(health: Health, port: int, host: str | None = None) -> web.AppRunner:
    """Serve probes and metrics until the runner is cleaned up; without a host on all addresses."""
    app = web.Application()
    app.router.add_get("/livez", _probe(health.live))
    app.router.add_get("/readyz", _probe(health.ready))
    app.router.add_get("/metrics", _page(health.metrics))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


def _probe(is_good: Callable[[], bool]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        good = is_good()
        return web.Response(text="ok\n" if good else "not ok\n", status=200 if good else 503)

    return answer


def _page(read: Callable[[], bytes]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=read(), headers={"Content-Type": CONTENT_TYPE})

    return answer
