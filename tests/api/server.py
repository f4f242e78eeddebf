"""A real API server as a judge of objects, asked by dry runs.

The one rule: the CRD is installed under a group of its own for the time of the tests, so that nothing on a shared
cluster is touched and no operator looks at what is stored.
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

NAMESPACES = "/api/v1/namespaces"
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

    @contextmanager
    def namespace(self, enforce: str = "privileged") -> Iterator[str]:
        """Make a namespace for a while, with a level of Pod Security."""
        name = f"t{uuid4().hex[:8]}"
        meta = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": enforce}}
        status, answer = self.ask("POST", NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        assert status == 201, answer
        try:
            yield name
        finally:
            self.ask("DELETE", f"{NAMESPACES}/{name}")

    def stored(self, raw: Json) -> None:
        """Store an object with its status, as it would be a moment after the operator looked at it."""
        meta = raw["metadata"]
        path = f"/apis/{self.group}/{VERSION}/namespaces/{meta['namespace']}/{PLURAL}"
        status, answer = self.ask("POST", path, self.here(raw))
        assert status == 201, answer
        self.write_status(meta["namespace"], meta["name"], raw["status"])

    def write_status(self, namespace: str, name: str, status: Json) -> None:
        """Write a status."""
        path = f"/apis/{self.group}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}"
        code, found = self.ask("GET", path)
        assert code == 200, found
        code, answer = self.ask("PUT", f"{path}/status", {**found, "status": status})
        assert code == 200, answer

    def here(self, raw: Json) -> Json:
        """Write an object for this server's group."""
        return {**raw, "apiVersion": f"{self.group}/{VERSION}"}

    def ask(self, verb: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Send one request."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        request: Any = self._api.param_serialize(
            verb, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        answer = self._api.call_api(*request)
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
