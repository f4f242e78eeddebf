"""Putting the hub together and serving it.

Rule: one application behind one or two addresses; the second one, if any, is the origin of large files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from aiohttp import web

from e2e.rig.hub.control import Control
from e2e.rig.hub.server import Hub, recorder
from e2e.rig.hub.store import Store

LOOPBACK = IPv4Network("127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the hub listens, what it serves, and who may pull its levers."""

    root: Path
    host: str = "127.0.0.1"
    port: int = 8088
    cdn_port: int | None = None
    peers: tuple[IPv4Network, ...] = ()


def application(hub: Hub, peers: tuple[IPv4Network, ...] = ()) -> web.Application:
    """Build the application; the log is written around every request."""
    app = web.Application(middlewares=[recorder(hub)])
    app.add_routes(Control(hub, (LOOPBACK, *peers)).routes())
    app.add_routes(hub.routes())
    return app


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """Serve until the context ends; yields the hub's address. Port 0 takes any free one."""
    hub = Hub(Store(settings.root))
    runner = web.AppRunner(application(hub, settings.peers), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        address = await _listen(runner, settings.host, settings.port)
        if settings.cdn_port is not None:
            hub.cdn = await _listen(runner, settings.host, settings.cdn_port)
        yield address
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> str:
    await web.TCPSite(runner, host, port).start()
    return f"http://{host}:{runner.addresses[-1][1]}"
