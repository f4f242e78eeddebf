"""A real API server as a judge of objects, asked by dry runs.

The one rule: the CRD is installed under a group of its own for the time of the tests, so that nothing on a shared
cluster is touched; no object is ever stored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config

from inferfleet.api.base import GROUP, PLURAL, VERSION, Json
from inferfleet.api.crd import crd

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class ApiServer:
    """An API server that has the CRD, in a group of its own."""

    def __init__(self, api: ApiClient, group: str) -> None:
        self._api = api
        self.group = group

    def judge(self, raw: Json) -> tuple[str, ...]:
        """Ask what it says of an object, strictly, without storing it."""
        path = f"/apis/{self.group}/{VERSION}/namespaces/default/{PLURAL}?dryRun=All&fieldValidation=Strict"
        status, answer = self.ask("POST", path, self.here(raw))
        return () if status == 201 else (str(answer["message"]),)

    def created(self, raw: Json) -> Json:
        """Show how it would store an object."""
        path = f"/apis/{self.group}/{VERSION}/namespaces/default/{PLURAL}?dryRun=All"
        status, answer = self.ask("POST", path, self.here(raw))
        assert status == 201, answer
        return answer

    def here(self, raw: Json) -> Json:
        """Write an object for this server's group."""
        return {**raw, "apiVersion": f"{self.group}/{VERSION}"}

    def ask(self, verb: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Send one request."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        answer = self._api.call_api(verb, f"{self._api.configuration.host}{path}", headers, body)
        text = answer.read()  # type: ignore[no-untyped-call]  # - the client has few types
        return int(answer.status), json.loads(text) if text.startswith(b"{") else {}


@contextmanager
def installed(kubeconfig: str) -> Iterator[ApiServer]:
    """Install the CRD for a while."""
    group = f"t{uuid4().hex[:8]}.{GROUP}"
    api: ApiClient = new_client_from_config(kubeconfig)  # type: ignore[no-untyped-call]  # - as above
    server = ApiServer(api, group)
    status, answer = server.ask("POST", CRDS, _renamed(group))
    assert status == 201, answer
    try:
        _wait_until_served(server)
        yield server
    finally:
        server.ask("DELETE", f"{CRDS}/{PLURAL}.{group}")


def _renamed(group: str) -> Json:
    """Name the CRD anew; short names and categories stay with the real one."""
    found: Any = crd()
    names = {key: value for key, value in found["spec"]["names"].items() if key not in ("shortNames", "categories")}
    return {
        **found,
        "metadata": {"name": f"{PLURAL}.{group}"},
        "spec": {**found["spec"], "group": group, "names": names},
    }


def _wait_until_served(server: ApiServer) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        status, _ = server.ask("GET", f"/apis/{server.group}/{VERSION}/{PLURAL}")
        published, found = server.ask("GET", f"/openapi/v3/apis/{server.group}/{VERSION}")
        if (status, published) == (200, 200) and found.get("components"):
            return
        time.sleep(0.2)
    raise TimeoutError(f"{server.group} is not served after 30 s")
