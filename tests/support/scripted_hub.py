"""A server that answers each path as a test says, for what no honest hub does: lies, traps, missing headers, TLS."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c0ffee" + "0" * 34


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers; `length` other than the body's ends the connection early."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


@dataclass(slots=True)
class Scripted:
    """The server's address, its script, and who asked."""

    address: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of each request."""

    def publish(self, name: str, files: Mapping[str, bytes], prefix: str = "", **told: Any) -> None:
        """List files under any names, and answer with them."""
        siblings = [described(path, body) for path, body in files.items()]
        listing = {"sha": COMMIT, "siblings": siblings} | told
        self.answers[f"{prefix}/api/models/{name}/revision/main?blobs=true"] = Answer(json.dumps(listing).encode())
        for path, body in files.items():
            self.answers[f"{prefix}/{name}/resolve/{COMMIT}/{path}"] = Answer(body)

    def paths(self) -> list[str]:
        """List what was asked for."""
        return [path for _, path, _ in self.asked]

    def tokens(self) -> set[str]:
        """Collect the Authorization headers that came."""
        return {headers["Authorization"] for _, _, headers in self.asked if "Authorization" in headers}


def described(path: str, body: bytes) -> dict[str, object]:
    """Describe a file as a hub does."""
    oid = hashlib.sha1(b"blob %d\0%s" % (len(body), body), usedforsecurity=False).hexdigest()
    return {"rfilename": path, "size": len(body), "blobId": oid}


@contextmanager
def scripted(context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Serve on loopback while the block runs."""
    script = Scripted("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.asked.append((self.command, self.path, dict(self.headers)))
            answer = script.answers.get(self.path, Answer(status=404))
            self.send_response(answer.status)
            headers = {"Content-Length": str(len(answer.body) if answer.length is None else answer.length)}
            for name, value in {**headers, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        script.address = f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join(timeout=10)
