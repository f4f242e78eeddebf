"""The control side of the hub: levers, log and publishing, under `/_rig/`, for the rig and its tests only.

Rule: only peers that the rig named may pull a lever; to everyone else these paths do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from aiohttp import web

from e2e.rig.hub import levers
from e2e.rig.hub.server import Hub
from e2e.rig.hub.store import Repository


@dataclass(frozen=True, slots=True)
class Control:
    """What the rig may do to a running hub."""

    hub: Hub
    peers: Sequence[IPv4Network]

    def routes(self) -> list[web.RouteDef]:
        """List the control paths, and the one that says that the hub is up."""
        return [
            web.get("/_rig/health", self.health),
            web.get("/_rig/levers", self.levers),
            web.post("/_rig/levers", self.pull),
            web.delete("/_rig/levers", self.release),
            web.delete("/_rig/levers/{number:[0-9]+}", self.release),
            web.get("/_rig/log", self.log),
            web.delete("/_rig/log", self.clear),
            web.get("/_rig/repositories", self.repositories),
            web.post("/_rig/repositories", self.publish),
            web.post("/_rig/refs", self.move),
        ]

    async def health(self, _: web.Request) -> web.Response:
        """Say that the hub answers."""
        return web.json_response({"status": "ok"})

    async def levers(self, request: web.Request) -> web.Response:
        """Show the levers that are set."""
        self._allow(request)
        return web.json_response([asdict(lever) | {"number": number} for number, lever in self.hub.board])

    async def pull(self, request: web.Request) -> web.Response:
        """Set one lever."""
        self._allow(request)
        try:
            number = self.hub.board.pull(levers.parse(await request.json()))
        except ValueError as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return web.json_response({"number": number}, status=201)

    async def release(self, request: web.Request) -> web.Response:
        """Take away one lever, or all."""
        self._allow(request)
        number = request.match_info.get("number")
        self.hub.board.release(int(number) if number else None)
        return web.Response(status=204)

    async def log(self, request: web.Request) -> web.Response:
        """Show who asked for what."""
        self._allow(request)
        return web.json_response(self.hub.log.as_json())

    async def clear(self, request: web.Request) -> web.Response:
        """Forget the log."""
        self._allow(request)
        self.hub.log.clear()
        return web.Response(status=204)

    async def repositories(self, request: web.Request) -> web.Response:
        """Show all repositories and what their branches and tags mean."""
        self._allow(request)
        return web.json_response([asdict(one) for one in self.hub.store.repositories()])

    async def publish(self, request: web.Request) -> web.Response:
        """Commit a directory of this machine: `name`, `directory`, and `ref`, `license`, `gated`, `private`."""
        self._allow(request)
        asked = await request.json()
        directory, ref = Path(asked.pop("directory")), asked.pop("ref", "main")
        commit = self.hub.store.publish(Repository(**asked), directory, ref)
        return web.json_response({"commit": commit}, status=201)

    async def move(self, request: web.Request) -> web.Response:
        """Point a branch at another commit: `name`, `ref`, `commit`."""
        self._allow(request)
        asked = await request.json()
        self.hub.store.move(asked["name"], asked["ref"], asked["commit"])
        return web.Response(status=204)

    def _allow(self, request: web.Request) -> None:
        if not any(IPv4Address(request.remote or "0.0.0.0") in network for network in self.peers):
            raise web.HTTPNotFound
