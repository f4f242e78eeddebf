"""The HTTP side of the fake: one handler on 127.0.0.1 that authenticates, logs, and lets faults strike.

The one rule: it decides nothing about objects; `Api` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
import yaml
from aiohttp import web

from inferfleet.api.base import Json
from support.fake_kube.apply import Author
from support.fake_kube.asked import Asked, only_known, split_path, verb_of
from support.fake_kube.discovery import discover
from support.fake_kube.errors import ApiError, no_such_resource, unauthorized
from support.fake_kube.faults import Fault, Logged
from support.fake_kube.listing import list_objects
from support.fake_kube.rbac import refusal
from support.fake_kube.resources import Value
from support.fake_kube.watching import error_line, follow, open_watch

if TYPE_CHECKING:
    from support.fake_kube.cluster import FakeKube

APPLY = "application/apply-patch+yaml"
_ADMIN = "system:admin"


class Server:
    """Serves one `FakeKube` on a port of its own."""

    def __init__(self, fake: FakeKube) -> None:
        self._fake = fake
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), handle_signals=False, shutdown_timeout=0.1
        )
        self.port = 0

    async def start(self, port: int = 0) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            user = self._user(request)
            asked = await self._read(request)
        except ApiError as error:
            self._fake.refused += 1
            return _answer(error.status, error.code)
        if asked is None:
            return self._discover(request)
        fault = self._fake.fault_for(asked, user)
        if fault is not None:
            return await self._strike(fault, request, asked, user)
        if asked.verb == "watch":
            return await self._watch(request, asked, user)
        return self._serve(asked, user)

    def _user(self, request: web.BaseRequest) -> str:
        tokens = self._fake.tokens
        if tokens is None:
            return _ADMIN
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in tokens:
            raise unauthorized()
        return request.headers.get("Impersonate-User", tokens[token])

    async def _read(self, request: web.BaseRequest) -> Asked | None:
        found = split_path(request.path)
        if found is None:
            return None
        triple, namespace, name, subresource = found
        resource = self._fake.api.resources.get(triple)
        if resource is None:
            if not any(known[:2] == triple[:2] for known in self._fake.api.resources):
                return None
            raise no_such_resource()
        if error := only_known(resource, subresource):
            raise error
        verb = verb_of(request.method, name, request.query)
        raw = await request.read()
        body = _decoded(raw, request.content_type) if raw else None
        return Asked(verb, resource, namespace, name, subresource, request.query, request.content_type, body)

    def _discover(self, request: web.BaseRequest) -> web.StreamResponse:
        found = discover(request.path, list(self._fake.api.resources.values()))
        if found is None:
            return web.Response(text="404 page not found\n", status=404)
        return _answer(found, 200) if isinstance(found, dict) else web.Response(text=found)

    def _serve(self, asked: Asked, user: str) -> web.Response:
        """Carry a request out and log it."""
        before = self._fake.api.storage.version
        try:
            self._authorize(asked, user)
            body, code = _ACTIONS[asked.verb](self._fake, asked, user)
        except ApiError as error:
            body, code = orjson.dumps(error.status), error.code
        changed = self._fake.api.storage.version != before
        self._log(asked, user, code, changed=changed)
        if changed:
            self._fake.run_controllers()
        return web.Response(body=body, status=code, content_type="application/json")

    def _authorize(self, asked: Asked, user: str) -> None:
        for verb in self._verbs_needed(asked):
            if not self._fake.may(user, verb, asked):
                self._fake.denied.append((user, verb, asked.full_resource))
                raise refusal(user, verb, asked)

    def _verbs_needed(self, asked: Asked) -> list[str]:
        assert asked.resource is not None
        there = self._fake.api.storage.get(asked.resource, (asked.namespace, asked.name))
        makes = asked.content_type == APPLY and there is None and not asked.subresource
        return ["patch", "create"] if makes else [asked.verb]

    def _log(self, asked: Asked, user: str, code: int, *, changed: bool = False) -> None:
        plural = asked.resource.plural if asked.resource else ""
        where = plural, asked.namespace, asked.name, asked.subresource
        self._fake.log.append(Logged(asked.verb, *where, user, code, changed, asked.body, self._fake.clock()))

    async def _strike(self, fault: Fault, request: web.BaseRequest, asked: Asked, user: str) -> web.StreamResponse:
        """Let a fault happen to a request."""
        if fault.latency:
            await asyncio.sleep(fault.latency)
        if fault.error_event is not None:
            return await self._watch(request, asked, user, [_failing(fault.error_event)])
        if fault.is_only_slow:
            return await self._served(request, asked, user)
        if fault.landed or fault.cut:
            response = await self._served(request, asked, user)
            if fault.cut:
                return await _cut(request, response)
        else:
            self._log(asked, user, fault.status or 0)
        if fault.hang:
            await fault.released.wait()
        if (fault.reset or fault.status is None) and request.transport is not None:
            request.transport.abort()
        return _struck_answer(fault)

    async def _served(self, request: web.BaseRequest, asked: Asked, user: str) -> web.StreamResponse:
        return await self._watch(request, asked, user) if asked.verb == "watch" else self._serve(asked, user)

    async def _watch(
        self, request: web.BaseRequest, asked: Asked, user: str, first: list[bytes] | None = None
    ) -> web.StreamResponse:
        try:
            self._authorize(asked, user)
        except ApiError as error:
            self._log(asked, user, error.code)
            return _answer(error.status, error.code)
        self._log(asked, user, 200)
        watch, lines = open_watch(asked, self._fake.api.storage, self._fake.clock())
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            self._fake.watches.add(watch)
            if first or lines:
                await response.write(b"".join(first or lines))
            watch.ended = watch.ended or first is not None
            async for news in follow(watch, self._fake.api.storage, self._fake.clock):
                await response.write(b"".join(news))
            if watch.broken and request.transport is not None:
                request.transport.abort()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._fake.watches.discard(watch)
        return response


def _get(fake: FakeKube, asked: Asked, _user: str) -> tuple[bytes, int]:
    assert asked.resource is not None
    found = fake.api.storage.get(asked.resource, (asked.namespace, asked.name))
    return (
        (found.raw, 200) if found else (orjson.dumps(fake.api.read(asked.resource, asked.namespace, asked.name)), 200)
    )


def _list(fake: FakeKube, asked: Asked, _user: str) -> tuple[bytes, int]:
    listed = list_objects(fake.api.storage, fake.pages, asked)
    if fake.compact_after_next_page:
        fake.compact_after_next_page = False
        fake.api.storage.version += 1
        fake.compact()
    return listed, 200


def _create(fake: FakeKube, asked: Asked, _user: str) -> tuple[bytes, int]:
    assert asked.resource is not None
    return orjson.dumps(fake.api.create(asked.resource, asked.namespace, asked.body, _author(fake, asked))), 201


def _update(fake: FakeKube, asked: Asked, _user: str) -> tuple[bytes, int]:
    assert asked.resource is not None
    replaced = fake.api.replace(asked.resource, asked.namespace, asked.name, asked.body, _author(fake, asked))
    return orjson.dumps(replaced), 200


def _patch(fake: FakeKube, asked: Asked, _user: str) -> tuple[bytes, int]:
    assert asked.resource is not None
    where = asked.resource, asked.namespace, asked.name
    if asked.content_type == APPLY:
        found, created = fake.api.apply(*where, asked.body, _author(fake, asked, "Apply"))
        return orjson.dumps(found), 201 if created else 200
    if asked.content_type in ("application/merge-patch+json", "application/json-patch+json"):
        return orjson.dumps(fake.api.patch(*where, asked.body, _author(fake, asked))), 200
    raise ApiError(
        415, "UnsupportedMediaType", f"the body of the request was in an unknown format {asked.content_type}"
    )


def _delete(fake: FakeKube, asked: Asked, _user: str) -> tuple[bytes, int]:
    assert asked.resource is not None
    obj, gone = fake.api.delete(asked.resource, asked.namespace, asked.name, asked.body or {})
    if not gone or asked.resource.plural == "pods":
        return orjson.dumps(obj), 200
    details = {"name": asked.name, "kind": asked.resource.plural, "uid": obj["metadata"]["uid"]}
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return orjson.dumps(status), 200


_ACTIONS: dict[str, Callable[[FakeKube, Asked, str], tuple[bytes, int]]] = {
    "get": _get, "list": _list, "create": _create, "update": _update, "patch": _patch, "delete": _delete,
}  # fmt: skip
_REASONS = {
    401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
    413: "RequestEntityTooLarge", 422: "Invalid", 429: "TooManyRequests", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip


def _author(fake: FakeKube, asked: Asked, operation: str = "Update") -> Author:
    manager = asked.query.get("fieldManager", "" if operation == "Apply" else "unknown")
    force = asked.query.get("force") in ("1", "true")
    return Author(manager, operation, asked.subresource, fake.api.now().strftime("%Y-%m-%dT%H:%M:%SZ"), force)


def _decoded(raw: bytes, content_type: str) -> Value:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        if content_type.endswith("yaml"):
            return yaml.safe_load(raw)
        raise ApiError(400, "BadRequest", "error decoding the body: invalid character") from None


def _struck(code: int) -> ApiError:
    return ApiError(code, _REASONS.get(code, "InternalError"), "a fault struck")


def _struck_answer(fault: Fault) -> web.Response:
    """Answer what a fault says, as an API server or as something before it."""
    code = fault.status or 500
    if fault.page:
        return web.Response(text="<html>proxy</html>\n", status=code, headers={"Location": "/api/v1/pods"})
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return _answer(_struck(code).status, code, headers)


def _failing(code: int) -> bytes:
    return error_line(_struck(code))


def _answer(body: Json, code: int, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=code, headers=headers, content_type="application/json")


async def _cut(request: web.BaseRequest, whole: web.StreamResponse) -> web.StreamResponse:
    """Send half of an answer and hang up."""
    assert isinstance(whole, web.Response)
    assert isinstance(whole.body, bytes)
    response = web.StreamResponse(status=whole.status, headers={"Content-Length": str(len(whole.body))})
    await response.prepare(request)
    await response.write(whole.body[: len(whole.body) // 2])
    assert request.transport is not None
    request.transport.close()
    return response
