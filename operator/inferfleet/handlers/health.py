"""Probes and metrics over HTTP.

The one rule: /livez says whether this process can still do its work, /readyz whether it does or stands by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Health:
    """What is asked when somebody probes."""

    live: Callable[[], bool]
    ready: Callable[[], bool]
    metrics: Callable[[], bytes]


async def serve(health: Health, port: int) -> web.AppRunner:
    """Serve probes and metrics until the runner is cleaned up."""
    app = web.Application()
    app.router.add_get("/livez", lambda _: _answer(health.live()))
    app.router.add_get("/readyz", lambda _: _answer(health.ready()))
    app.router.add_get("/metrics", lambda _: _metrics(health.metrics()))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner


async def _answer(good: bool) -> web.Response:
    return web.Response(text="ok\n" if good else "not ok\n", status=200 if good else 503)


async def _metrics(text: bytes) -> web.Response:
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})
