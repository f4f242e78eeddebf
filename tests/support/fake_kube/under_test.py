"""An API server under test, fake or real, and what a contract test asks of it.

The one rule: a test says what an API server does and cannot tell which one it talks to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import orjson
from aiohttp.client_middlewares import ClientHandlerType

from inferfleet.api.base import Json
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.connection import Connection
from inferfleet.kube.kinds import Kind, Ref
from inferfleet.kube.session import client_session
from inferfleet.kube.transport import APPLY_PATCH, JSON, Call, Transport
from support.fake_kube import FakeKube, Rule
from support.fake_kube.clients import REAL_TIME

T = TypeVar("T")
NAMESPACES = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
DEFINITIONS = Kind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
SERVICE_ACCOUNTS = Kind("", "v1", "serviceaccounts", "ServiceAccount")
ROLES = Kind("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
_PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class Server:
    """One API server, a namespace of the test's own in it, and both ways to ask."""

    client: Client
    transport: Transport
    connection: Connection
    namespace: str
    fake: FakeKube | None

    @property
    def scope(self) -> Scope:
        return Scope(self.namespace)

    async def ask(
        self, verb: str, path: str, query: dict[str, str] | None = None, body: object = None, content_type: str = JSON
    ) -> Json:
        """Ask what `Client` has no method for."""
        call = Call(verb, path, query or {}, body, content_type)  # type: ignore[arg-type]  # - a JSON patch is a list
        answer: Json = orjson.loads(await self.transport.send(call))
        return answer

    async def apply_as(self, manager: str, path: str, manifest: Json, *, force: bool = False) -> Json:
        """Apply as another field manager."""
        query = {"fieldManager": manager} | ({"force": "true"} if force else {})
        return await self.ask("PATCH", path, query, manifest, APPLY_PATCH)

    async def events(
        self, kind: Kind, version: str, number: int, scope: Scope | None = None, seconds: int = 20
    ) -> list[Json]:
        """Watch until so many events came, bookmarks not counted."""
        found: list[Json] = []
        stream: AsyncGenerator[Json] = self.client.watch(kind, scope or self.scope, version, seconds)
        async with aclosing(stream) as events:
            async for event in events:
                if event["type"] != "BOOKMARK":
                    found.append(event)
                if len(found) == number:
                    break
        return found

    @asynccontextmanager
    async def as_user(self, user: str, rules: Sequence[Rule]) -> AsyncIterator[Client]:
        """Ask as somebody who may do only this, in the test's namespace."""
        await self._grant(user, rules)

        async def impersonate(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
            request.headers["Impersonate-User"] = user
            return await handler(request)

        server, session = client_session(self.connection, REAL_TIME, (impersonate,))
        async with session:
            yield Client(server, session, REAL_TIME, lambda: True)

    async def remove_namespace(self, uid: str) -> None:
        await self.client.delete(Ref(NAMESPACES, None, self.namespace), uid)

    async def _grant(self, user: str, rules: Sequence[Rule]) -> None:
        if self.fake is not None:
            self.fake.roles[user] = [*rules]
            return
        meta = {"name": user, "namespace": self.namespace}
        kinds = [{"verbs": [*one.verbs], "apiGroups": [*one.groups], "resources": [*one.resources]} for one in rules]
        group = "rbac.authorization.k8s.io"
        role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": kinds}
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
            "roleRef": {"kind": "Role", "name": user, "apiGroup": group},
        }
        await self.client.create(role, ROLES)
        await self.client.create(binding, ROLE_BINDINGS)


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], object]) -> T:
    """Look again and again until it holds: controllers of a real cluster take their time."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not holds(found := await look()):  # noqa: ASYNC110 - the other side has no event of ours
            await asyncio.sleep(0.05)
    return found
