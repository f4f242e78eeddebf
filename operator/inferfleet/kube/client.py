"""What we ask the API server: one method for each verb that we use.

The one rule: manifests go out and come back as plain dicts, and every write names its field manager.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import aiohttp

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.answers import error_from
from inferfleet.kube.kinds import Kind, Ref, kind_of
from inferfleet.kube.stream import lines
from inferfleet.kube.timing import Time
from inferfleet.kube.transport import APPLY_PATCH, DEFAULT_LIMITS, MERGE_PATCH, Call, Limits, Transport, decoded

MANAGER = "inferfleet"
STATUS_MANAGER = "inferfleet-status"
GONE = 410
CONFLICT = 409
NOT_FOUND = 404
STALL_SECONDS = 70.0

_LARGEST_PAGE = 500
_FIRST_PAGE = 50
_SMALLEST_PAGE = 10
# Decoding a page holds the event loop: 256 KiB take 5 to 15 ms, three times that where others use the core too.
_PAGE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects of a kind: of one namespace or of all, and by a label selector."""

    namespace: str | None = None
    labels: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """Write the selector as a query."""
        return {} if self.labels is None else {"labelSelector": self.labels}


EVERYWHERE = Scope()


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing, all parts of which show the same moment."""

    items: list[Json]
    version: str


class Client:
    """Asks one API server on behalf of one identity."""

    def __init__(
        self,
        server: str,
        session: aiohttp.ClientSession,
        time: Time,
        may_write: Callable[[], bool],
        limits: Limits = DEFAULT_LIMITS,
        wrote: Callable[[str, str], None] = lambda _verb, _kind: None,
    ) -> None:
        """Keep the way to the API server; `may_write` is asked before each write, `wrote` told of it: verb and kind."""
        self._wrote = wrote
        self._transport = Transport(server, session, time, may_write, limits)

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Json | None:
        """Read an object; None when the API server says that there is none."""
        try:
            return decoded(await self._transport.send(Call("GET", kind.path(namespace, name))))
        except KubeError as error:
            # A proxy's 404 page says nothing about the object.
            if error.reason == "NotFound":
                return None
            raise

    async def list(self, kind: Kind, scope: Scope = EVERYWHERE) -> list[Json]:
        """Read every object of a scope."""
        return [item async for page in self.pages(kind, scope) for item in page.items]

    async def pages(self, kind: Kind, scope: Scope = EVERYWHERE) -> AsyncGenerator[Page]:
        """Read a listing in pages of at most 500 objects, fewer where they are large; 410: begin again."""
        query = {**scope.query, "limit": str(_FIRST_PAGE)}
        while True:
            body = await self._transport.send(Call("GET", kind.path(scope.namespace), query))
            answer = decoded(body)
            meta, items = answer.get("metadata") or {}, answer.get("items") or []
            yield Page(items, str(meta.get("resourceVersion", "")))
            token = meta.get("continue")
            if not token:
                return
            query |= {"continue": token, "limit": str(_next_limit(len(items), len(body)))}

    async def watch(
        self, kind: Kind, scope: Scope, version: str, timeout_seconds: int, stall_seconds: float = STALL_SECONDS
    ) -> AsyncGenerator[Json]:
        """Follow what happens after a version, bookmarks included; an ERROR event is raised as the error it holds."""
        query = {
            **scope.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(timeout_seconds),
        }
        async with self._transport.stream(Call("GET", kind.path(scope.namespace), query), stall_seconds) as content:
            async for line in lines(content.iter_any()):
                event = decoded(line)
                if event.get("type") == "ERROR":
                    raise error_from(event.get("object") or {}, 500)
                yield event

    async def apply(self, manifest: Json, kind: Kind | None = None) -> Json:
        """Create the object, or make its fields as the manifest says and drop those that we no longer name."""
        kind = kind or kind_of(manifest)
        query = {"fieldManager": MANAGER, "force": "true"}
        return await self._write("apply", kind, Call("PATCH", _path(manifest, kind), query, manifest, APPLY_PATCH))

    async def create(self, manifest: Json, kind: Kind | None = None) -> Json:
        """Create the object; 409 when there is one of this name."""
        kind = kind or kind_of(manifest)
        path = kind.path(manifest["metadata"].get("namespace"))
        return await self._write("create", kind, Call("POST", path, {"fieldManager": MANAGER}, manifest))

    async def ensure(self, manifest: Json, kind: Kind | None = None) -> Json:
        """Create the object, or read the one of this name: whose it is, the caller must look at."""
        kind = kind or kind_of(manifest)
        try:
            return await self.create(manifest, kind)
        except KubeError as error:
            if error.reason != "AlreadyExists":
                raise
            found = await self.get(kind, manifest["metadata"].get("namespace"), manifest["metadata"]["name"])
            if found is None:
                raise
            return found

    async def replace(self, manifest: Json, kind: Kind | None = None) -> Json:
        """Replace the object if its resourceVersion is still the manifest's; else 409."""
        kind = kind or kind_of(manifest)
        call = Call("PUT", _path(manifest, kind), {"fieldManager": MANAGER}, manifest)
        return await self._write("replace", kind, call)

    async def merge_patch(self, ref: Ref, patch: Json) -> Json:
        """Merge a few fields into an object; the patch carries the uid of the object that is meant."""
        call = Call("PATCH", ref.path, {"fieldManager": MANAGER}, patch, MERGE_PATCH)
        return await self._write("patch", ref.kind, call)

    async def patch_status(self, ref: Ref, status: Json, version: str | None = None) -> Json:
        """Apply a whole status; with a version only if the object still has it, else 409.

        Server-side apply and not a merge: a field that we stop writing vanishes because we owned it, other writers keep
        theirs, and a status that says the same leaves the object's version alone, so that it wakes nobody. The uid is
        no guard here, because the API server ignores metadata of a status write: the version is.
        """
        meta = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
        meta |= {"resourceVersion": version} if version else {}
        told = _without_empty(status)
        body = {"apiVersion": ref.kind.api_version, "kind": ref.kind.kind, "metadata": meta, "status": told}
        query = {"fieldManager": STATUS_MANAGER, "force": "true"}
        return await self._write("status", ref.kind, Call("PATCH", f"{ref.path}/status", query, body, APPLY_PATCH))

    async def delete(
        self,
        ref: Ref,
        uid: str,
        *,
        version: str | None = None,
        grace_seconds: int | None = None,
        propagation: str = "Background",
    ) -> bool:
        """Delete this very object, at this very version where one is given (409 else); False when it is gone."""
        only_if = {"uid": uid} | ({"resourceVersion": version} if version else {})
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": only_if}
        options |= {"propagationPolicy": propagation}
        options |= {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        try:
            await self._transport.send(Call("DELETE", ref.path, body=options))
        except KubeError as error:
            if error.reason == "NotFound":
                return False
            raise
        self._wrote("delete", ref.kind.kind)
        return True

    async def _write(self, verb: str, kind: Kind, call: Call) -> Json:
        answer = decoded(await self._transport.send(call))
        self._wrote(verb, kind.kind)
        return answer


def _path(manifest: Json, kind: Kind) -> str:
    meta = manifest["metadata"]
    return kind.path(meta.get("namespace"), meta["name"])


def _without_empty(status: Json) -> Json:
    """Leave out maps that hold nothing: where we owned a field in one, the API server refuses it as null."""
    kept = {key: _without_empty(value) if isinstance(value, dict) else value for key, value in status.items()}
    return {key: value for key, value in kept.items() if value != {}}


def _next_limit(items: int, size: int) -> int:
    """Ask for as many objects as fit into a page that is decoded without holding the event loop for long."""
    fitting = _PAGE_BYTES * items // max(size, 1)
    return min(max(fitting, _SMALLEST_PAGE), _LARGEST_PAGE)
