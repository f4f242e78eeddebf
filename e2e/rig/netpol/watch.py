"""Following one kind of object: list, then watch, for ever, over whatever happens to the API server.

Rule: what was seen last stays until the next whole list replaces it; a connection that breaks forgets nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from e2e.rig import pki
from e2e.rig.settings import API_PORT, CONTROL_IP

Json = dict[str, Any]
LIST_SECONDS = 10
WATCH_SECONDS = 300
RETRY_SECONDS = 0.2
GONE = 410


class Behind(Exception):  # noqa: N818 - a turn of events, not an error of ours
    """The watch cannot go on from where it was: list again."""


@dataclass(slots=True)
class Follower:
    """The objects of one path, kept current by a thread; `changed` is called after every change."""

    path: str
    changed: Callable[[], None]
    complete: bool = False
    _objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def objects(self) -> list[Json]:
        """Return everything as seen last."""
        with self._lock:
            return list(self._objects.values())

    def run(self, over: threading.Event) -> None:
        """List and watch until told that it is over."""
        while not over.is_set():
            try:
                version = self._list()
                while not over.is_set():
                    version = self._watch(version)
            except (OSError, http.client.HTTPException, ValueError, Behind) as problem:
                print(f"{self.path}: {problem!r}, listing again", flush=True)
            over.wait(RETRY_SECONDS)

    def _list(self) -> str:
        with _answer(self.path, LIST_SECONDS) as answer:
            listed = json.load(answer)
        with self._lock:
            self._objects = {_key(one): one for one in listed["items"]}
        self.complete = True
        self.changed()
        return str(listed["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> str:
        query = f"watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
        with _answer(f"{self.path}?{query}", WATCH_SECONDS + LIST_SECONDS) as answer:
            for line in _lines(answer):
                version = self._take(json.loads(line)) or version
        return version

    def _take(self, event: Json) -> str:
        seen = event["object"]
        if event["type"] == "ERROR":
            raise Behind(seen.get("message", ""))
        if event["type"] != "BOOKMARK":
            with self._lock:
                if event["type"] == "DELETED":
                    self._objects.pop(_key(seen), None)
                else:
                    self._objects[_key(seen)] = seen
            self.changed()
        return str(seen["metadata"]["resourceVersion"])


class _answer:  # noqa: N801 - reads as the context manager that it is
    """One answer of the API server, on a connection of its own."""

    def __init__(self, path: str, timeout_s: float) -> None:
        certificate, key = pki.files("admin")
        tls = ssl.create_default_context(cafile=str(pki.CA))
        tls.load_cert_chain(certificate, key)
        self._connection = http.client.HTTPSConnection(CONTROL_IP, API_PORT, context=tls, timeout=timeout_s)
        self._path = path

    def __enter__(self) -> http.client.HTTPResponse:
        self._connection.connect()
        # A watch that lost its server behind a cut cable would otherwise wait for its whole time.
        self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3)):
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self._connection.request("GET", self._path, headers={"Accept": "application/json"})
        answer = self._connection.getresponse()
        if answer.status == GONE:
            raise Behind(f"{self._path}: {answer.status}")
        if answer.status != http.HTTPStatus.OK:
            raise ConnectionError(f"{self._path}: {answer.status} {answer.read(500)!r}")
        return answer

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while line := answer.readline():
        yield line


def _key(seen: Json) -> tuple[str, str]:
    return seen["metadata"].get("namespace", ""), seen["metadata"]["name"]
