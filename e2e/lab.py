"""What every scenario needs: a namespace of its own, models, waiting with a reason, and asking a model.

The one rule: a wait says what it waited for and what it saw instead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from e2e.rig import Rig
from e2e.rig.api import Json
from e2e.rig.errors import ApiError

T = TypeVar("T")
GROUP = "/apis/inferfleet.dev/v1alpha1"
TICK = 0.2
CHILDREN = (
    "apis/apps/v1/{}/replicasets", "apis/apps/v1/{}/controllerrevisions", "api/v1/{}/services", "api/v1/{}/configmaps",
    "apis/batch/v1/{}/jobs", "api/v1/{}/persistentvolumeclaims", "apis/policy/v1/{}/poddisruptionbudgets",
    "apis/networking.k8s.io/v1/{}/networkpolicies", "api/v1/{}/pods",
)  # fmt: skip
"""Paths of the kinds that belong to models; `{}` is `namespaces/NAME`."""
OURS = "app.kubernetes.io%2Fmanaged-by%3Dinferfleet"


class ScenarioError(AssertionError):
    """A scenario saw something else than it must."""


def must(truth: object, message: str) -> None:
    """Fail the scenario unless this is so."""
    if not truth:
        raise ScenarioError(message)


def is_ready(pod: Json) -> bool:
    """Whether a pod's condition Ready is True."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))


def wait_for(look: Callable[[], T | None], what: str, seconds: float = 60.0) -> T:
    """Look until there is something; say what was waited for if there is nothing in time."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except ApiError as error:
            found = None
            what = f"{what} (last answer: {error})" if "last answer" not in what else what
        if found:
            return found
        if time.monotonic() >= end:
            raise ScenarioError(f"After {seconds:.0f} s still waiting for: {what}")
        time.sleep(TICK)


@dataclass
class Lab:
    """One scenario's place in the cluster, and its notes for the table."""

    rig: Rig
    namespace: str
    counted: dict[str, Any] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, rig: Rig, name: str) -> Iterator[Lab]:
        """Make a namespace that enforces Pod Security `restricted`, and delete it afterwards."""
        namespace = f"e2e-{name}"
        rig.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=true", "--timeout=120s")
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        rig.api.create("/api/v1/namespaces", body)
        lab = cls(rig, namespace)
        try:
            yield lab
        finally:
            lab.empty()
            rig.kubectl("delete", "namespace", namespace, "--wait=true", "--timeout=120s", check=False)
            rig.levers.volumes.recycle()

    def empty(self) -> None:
        """Delete the models and wait for their pods: the namespace controller waits by the longest grace period."""
        kind = "modeldeployments.inferfleet.dev"
        self.rig.kubectl("-n", self.namespace, "delete", kind, "--all", "--timeout=60s", check=False)
        with suppress(ScenarioError):
            wait_for(lambda: not self.children("pods"), "pods to end", 60)

    def path(self, name: str = "") -> str:
        """Build the path of a model, or of all models here."""
        return f"{GROUP}/namespaces/{self.namespace}/modeldeployments" + (f"/{name}" if name else "")

    def model(self, name: str, source: str = "hf://inferfleet/smollm2-triton", **spec: Any) -> Json:
        """Write a ModelDeployment; `spec` are further fields."""
        body: Json = {"model": {"source": source}, "gpu": {"count": 1}, "cache": {"type": "PVC", "size": "1Gi"}}
        return {
            "apiVersion": "inferfleet.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {**body, **spec},
        }

    def apply(self, manifest: Json) -> None:
        """Apply as a user does, with kubectl."""
        self.rig.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def patch(self, name: str, spec: Json) -> Json:
        """Merge a patch into a model's spec."""
        return self.rig.api.merge(self.path(name), {"spec": spec})

    def delete(self, name: str) -> None:
        """Delete a model and wait until it is gone."""
        self.rig.kubectl("-n", self.namespace, "delete", "modeldeployments.inferfleet.dev", name, "--timeout=60s")

    def get(self, name: str) -> Json:
        """Read a model."""
        return self.rig.get(self.path(name))

    def endpoint(self, name: str) -> tuple[str, str]:
        """Say where a model answers (the address and port of its Service), and what its server calls it."""
        service = self.rig.get(f"/api/v1/namespaces/{self.namespace}/services/{name}")
        return f"{service['spec']['clusterIP']}:8000", str(self.get(name)["status"]["plan"]["model"])

    def condition(self, name: str, kind: str) -> Json:
        """Read a condition; empty if it is absent."""
        conditions = self.get(name).get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})

    def ready(self, name: str, seconds: float = 120.0) -> Json:
        """Wait until a model is Ready as its spec is now, settled, and return it."""

        def look() -> Json | None:
            found = self.get(name)
            status = found.get("status", {})
            types = {each["type"]: each["status"] for each in status.get("conditions", [])}
            current = status.get("observedGeneration") == found["metadata"]["generation"]
            return found if current and types.get("Ready") == "True" and "Reconciling" not in types else None

        try:
            return wait_for(look, f"{name} to be Ready", seconds)
        except ScenarioError as error:
            raise ScenarioError(f"{error}; it says {self.condition(name, 'Ready')}") from error

    def reason(self, name: str, kind: str, reason: str, seconds: float = 60.0) -> Json:
        """Wait until a condition has a reason, and return the condition."""

        def look() -> Json | None:
            found = self.condition(name, kind)
            return found if found.get("reason") == reason else None

        try:
            return wait_for(look, f"{name} to say {kind}/{reason}", seconds)
        except ScenarioError as error:
            raise ScenarioError(f"{error}; it says {self.condition(name, kind)}") from error

    def children(self, kind: str, name: str = "") -> list[Json]:
        """List children of one kind (`pods`, `replicasets`, ...), of one model or of all here."""
        path = next(each for each in CHILDREN if each.endswith(f"/{kind}")).format(f"namespaces/{self.namespace}")
        model = f",inferfleet.dev%2Fmodel%3D{name}" if name else ""
        items: list[Json] = self.rig.get(f"/{path}?labelSelector={OURS}{model}")["items"]
        return items

    def pods(self, name: str, role: str = "server") -> list[Json]:
        """List a model's pods that are not going."""
        found = self.children("pods", name)
        alive = [each for each in found if "deletionTimestamp" not in each["metadata"]]
        return [each for each in alive if each["metadata"]["labels"].get("inferfleet.dev/role") == role]

    def events(self, name: str) -> list[Json]:
        """List the events about a model."""
        items = self.rig.get(f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return [each for each in items if each["involvedObject"]["name"] == name]
