"""The hub itself: the file API of the Hugging Face hub over HTTP, as far as downloads need it.

Rule: every answer, refusals included, looks as the hub's does, so that the real client works against it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import quote

from aiohttp import web

from e2e.rig.hub import answers, levers, transfer
from e2e.rig.hub.answers import Refusal
from e2e.rig.hub.levers import Board, Kind
from e2e.rig.hub.log import Entry, Log
from e2e.rig.hub.store import File, Repository, Snapshot, Store

READER = "hf_rig_reader"
MEMBER = "hf_rig_member"  # has accepted every licence and may read private repositories
CONTROL = "/_rig/"
ENTRY = web.RequestKey("entry", Entry)


class Refused(Exception):  # noqa: N818 - it is the answer, not an error of ours
    """Ends a request with one of the hub's refusals."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(slots=True)
class Hub:
    """Repositories, levers and log behind one address; `cdn` is another origin for large files, if any."""

    store: Store
    cdn: str = ""
    board: Board = field(default_factory=Board)
    log: Log = field(default_factory=Log)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def routes(self) -> list[web.RouteDef]:
        """List the hub's paths."""
        model = "/api/models/{owner}/{repo}"
        return [
            web.get(model, self.info),
            web.get(model + "/revision/{rev}", self.info),
            web.get(model + "/tree/{rev}", self.tree),
            web.get("/{owner}/{repo}/resolve/{rev}/{path:.+}", self.resolve),
            web.get("/cdn/{owner}/{repo}/{rev}/{path:.+}", self.content),
        ]

    async def info(self, request: web.Request) -> web.StreamResponse:
        """Describe a model at a revision."""
        repository, snapshot = self._revision(request)
        blobs = request.query.get("blobs", "").lower() in {"true", "1"}
        wrong = self._lies(repository, snapshot)
        return web.json_response(answers.info(repository, snapshot, blobs=blobs, wrong=wrong))

    async def tree(self, request: web.Request) -> web.StreamResponse:
        """List the files of a revision."""
        repository, snapshot = self._revision(request)
        return web.json_response(answers.tree(snapshot, self._lies(repository, snapshot)))

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """Answer with a small file, or send the client to the content of a large one."""
        repository, snapshot = self._revision(request)
        if repository.gated and _token(request) != MEMBER:
            refuse(answers.gated(repository.name, known_user=_known(request)))
        file = self._file(request, snapshot)
        lie = file.path in self._lies(repository, snapshot)
        headers = answers.file_headers(snapshot, file, wrong=lie)
        if not file.large:
            return await self._send(request, file, headers)
        return web.Response(status=302, headers=headers | {"Location": self._cdn_url(request, snapshot, file)})

    async def content(self, request: web.Request) -> web.StreamResponse:
        """Answer with a large file to whoever holds its signed address; a token is not asked for."""
        request[ENTRY].cdn = True
        if not hmac.compare_digest(request.query.get("Signature", ""), self._signature(request.path)):
            refuse(Refusal(403, "Missing or invalid signature."))
        repository = self.store.repository(_name(request))
        snapshot = repository and self.store.snapshot(repository, request.match_info["rev"])
        if not snapshot:
            refuse(Refusal(404, "The specified key does not exist."))
        file = self._file(request, snapshot)
        return await self._send(request, file, answers.file_headers(snapshot, file, wrong=False))

    async def _send(self, request: web.Request, file: File, headers: dict[str, str]) -> web.StreamResponse:
        entry = request[ENTRY]
        fresh = request.headers.get("If-Range", headers["ETag"]) == headers["ETag"]
        part = transfer.span(request.headers.get("Range", "") if fresh else "", file.size)
        if part is None:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{file.size}"})
        entry.start, entry.end = part.start, part.end
        status = 206 if part.partial else 200
        headers = headers | part.headers() | {"Content-Type": "application/octet-stream"}
        if request.method == "HEAD":
            return web.Response(status=status, headers=headers)
        answer = web.StreamResponse(status=status, headers=headers)
        used = self.board.take(levers.TRANSFERS, entry.repository, file.path)
        harm = transfer.Harm.of(used, part)
        await transfer.Sending(request, self.store.blob(file), part, harm, entry).through(answer)
        return answer

    def _revision(self, request: web.Request) -> tuple[Repository, Snapshot]:
        entry = request[ENTRY]
        entry.repository, entry.path = _name(request), request.match_info.get("path", "")
        revision = request.match_info.get("rev", "main")
        for lever in self.board.take(levers.REFUSALS, entry.repository, entry.path):
            refuse(answers.pulled(lever, entry.repository, revision))
        if _token(request) and not _known(request):
            refuse(Refusal(401, answers.INVALID_TOKEN))
        repository = self.store.repository(entry.repository)
        if repository is None or (repository.private and _token(request) != MEMBER):
            refuse(answers.no_repository(known_user=_known(request)))
        snapshot = self.store.snapshot(repository, revision)
        if snapshot is None:
            refuse(answers.no_revision(revision))
        return repository, snapshot

    def _file(self, request: web.Request, snapshot: Snapshot) -> File:
        entry = request[ENTRY]
        entry.repository, entry.path = _name(request), request.match_info["path"]
        file = snapshot.by_path.get(entry.path)
        if file is None:
            refuse(answers.no_file())
        return file

    def _lies(self, repository: Repository, snapshot: Snapshot) -> frozenset[str]:
        kind = frozenset({Kind.CORRUPT_SHA})
        return frozenset(f.path for f in snapshot.files if self.board.take(kind, repository.name, f.path))

    def _cdn_url(self, request: web.Request, snapshot: Snapshot, file: File) -> str:
        path = f"/cdn/{_name(request)}/{snapshot.commit}/{file.path}"
        base = self.cdn or f"{request.scheme}://{request.host}"
        return f"{base}{quote(path)}?Signature={self._signature(path)}"

    def _signature(self, path: str) -> str:
        return hmac.new(self.secret, path.encode(), hashlib.sha256).hexdigest()


def refuse(refusal: Refusal) -> NoReturn:
    """End the request with this refusal."""
    raise Refused(refusal)


def recorder(hub: Hub) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Make the middleware that writes the log and turns refusals into answers."""

    @web.middleware
    async def record(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        entry = Entry(
            method=request.method,
            url=request.rel_url.path,
            peer=request.remote or "",
            authorized=bool(_token(request)),
            agent=request.headers.get("User-Agent", ""),
        )
        request[ENTRY] = entry if entry.url.startswith(CONTROL) else hub.log.add(entry)
        try:
            answer = await handler(request)
        except Refused as refused:
            refusal = refused.refusal
            answer = web.json_response({"error": refusal.message}, status=refusal.status, headers=refusal.all_headers())
        entry.status = answer.status
        return answer

    return record


def _name(request: web.Request) -> str:
    return f"{request.match_info['owner']}/{request.match_info['repo']}"


def _token(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ").strip()


def _known(request: web.Request) -> bool:
    return _token(request) in {READER, MEMBER}
