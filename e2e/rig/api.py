"""A small client for the API server: raw paths, JSON in and out, one connection kept open per thread."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from typing import Any

from e2e.rig import pki
from e2e.rig.errors import ApiError
from e2e.rig.settings import API_PORT, CONTROL_IP

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
JSON = "application/json"


class Api:
    """The API server as the cluster's administrator sees it."""

    def __init__(self, timeout_s: float = 10.0) -> None:
        certificate, key = pki.files("admin")
        self._tls = ssl.create_default_context(cafile=str(pki.CA))
        self._tls.load_cert_chain(certificate, key)
        self._timeout = timeout_s
        self._local = threading.local()

    def get(self, path: str) -> Json:
        """Read an object or a list."""
        return self._json("GET", path)

    def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at path."""
        return self._json("POST", path, body)

    def replace(self, path: str, body: Json) -> Json:
        """Replace the object at path."""
        return self._json("PUT", path, body)

    def merge(self, path: str, body: Json) -> Json:
        """Merge a patch into the object at path."""
        return self._json("PATCH", path, body, MERGE)

    def apply(self, path: str, body: Json) -> Json:
        """Apply an object on the server side, as field manager `rig`."""
        return self._json("PATCH", f"{path}?fieldManager=rig&force=true", body, APPLY)

    def delete(self, path: str, grace_s: int | None = None) -> None:
        """Delete what is at path; it is no error if nothing is there."""
        query = "" if grace_s is None else f"?gracePeriodSeconds={grace_s}"
        try:
            self._json("DELETE", path + query)
        except ApiError as error:
            if error.code != http.HTTPStatus.NOT_FOUND:
                raise

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            return self._send("GET", "/readyz", None, JSON)[0] == http.HTTPStatus.OK
        except OSError:
            return False

    def close(self) -> None:
        """Close this thread's connection."""
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection:
            connection.close()
        self._local.connection = None

    def _json(self, method: str, path: str, body: Json | None = None, kind: str = JSON) -> Json:
        code, raw = self._send(method, path, body, kind)
        answer: Json = json.loads(raw) if raw[:1] == b"{" else {"text": raw.decode(errors="replace")}
        if code >= http.HTTPStatus.BAD_REQUEST:
            message = answer.get("message", answer.get("text", ""))
            raise ApiError(code, f"{method} {path}: {code} {message}")
        return answer

    def _send(self, method: str, path: str, body: Json | None, kind: str) -> tuple[int, bytes]:
        raw = None if body is None else json.dumps(body).encode()
        if method == "POST":
            self.close()  # a create must not be tried twice, so it never uses a connection that may be stale
            return self._exchange(method, path, raw, kind)
        try:
            return self._exchange(method, path, raw, kind)
        except ConnectionError:
            return self._exchange(method, path, raw, kind)  # the API server was restarted since the last call

    def _exchange(self, method: str, path: str, raw: bytes | None, kind: str) -> tuple[int, bytes]:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(CONTROL_IP, API_PORT, context=self._tls, timeout=self._timeout)
            self._local.connection = connection
        try:
            connection.request(method, path, body=raw, headers={"Content-Type": kind, "Accept": JSON})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            self.close()
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        except OSError:
            self.close()
            raise
