"""Leases of a fake without a socket, for tests that move clocks by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.answers import error_from
from inferfleet.kube.kinds import LEASES, Kind
from support.fake_kube.api import Api
from support.fake_kube.apply import Author
from support.fake_kube.errors import ApiError
from support.fake_kube.resources import Resource

_AUTHOR = Author("inferfleet")


class DirectLeases:
    """One replica's way to the Leases: it may be cut, slow, or lose answers, for this replica alone."""

    def __init__(self, api: Api, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._api = api
        self._sleep = sleep
        self.cut = False
        self.loses_answers = False
        self.latency = 0.0
        self.writes: list[str] = []

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Json | None:
        await self._travel()
        stored = self._api.storage.get(self._api.resource("leases"), (namespace or "", name))
        return None if stored is None else self._api.read(self._api.resource("leases"), namespace or "", name)

    async def create(self, manifest: Json, kind: Kind | None = None) -> Json:
        await self._travel()
        return self._answer(lambda: self._api.create(self._leases(kind), _namespace(manifest), manifest, _AUTHOR))

    async def replace(self, manifest: Json, kind: Kind | None = None) -> Json:
        await self._travel()
        name = manifest["metadata"]["name"]
        return self._answer(
            lambda: self._api.replace(self._leases(kind), _namespace(manifest), name, manifest, _AUTHOR)
        )

    def _leases(self, kind: Kind | None) -> Resource:
        assert kind is LEASES
        return self._api.resource("leases")

    async def _travel(self) -> None:
        if self.latency:
            await self._sleep(self.latency)
        if self.cut:
            raise KubeError("Unreachable", "cut off")

    def _answer(self, act: Callable[[], Json]) -> Json:
        try:
            answer = act()
        except ApiError as error:
            raise error_from(error.status, error.code) from error
        self.writes.append(answer["spec"]["holderIdentity"])
        if self.loses_answers:
            raise KubeError("Unreachable", "the answer was lost")
        return answer


def _namespace(manifest: Json) -> str:
    return str(manifest["metadata"]["namespace"])
