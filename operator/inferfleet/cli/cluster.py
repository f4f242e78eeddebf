"""Reading a cluster as the user: what the kubeconfig allows, and nothing is ever written.

The one rule: what the user may not see is left out and said, never an error.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import yaml

from inferfleet.api.base import Json
from inferfleet.errors import InferfleetError, KubeError
from inferfleet.fleet import names
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.connection import load_connection
from inferfleet.kube.kinds import MODEL_DEPLOYMENTS, PODS, REPLICA_SETS, Kind
from inferfleet.kube.session import client_session
from inferfleet.kube.timing import Time

T = TypeVar("T")
TIME = Time(time.monotonic, asyncio.sleep, random.random, lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Access:
    """Which cluster, and which namespace; empty: as the kubeconfig says."""

    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""

    @property
    def where(self) -> str:
        """Name the namespace: the given one, the context's, or `default`."""
        return self.namespace or _context_namespace(self.kubeconfig, self.context) or "default"


@dataclass(frozen=True, slots=True)
class Seen:
    """One model as the cluster has it, with its ReplicaSets and pods."""

    raw: Json
    sets: tuple[Json, ...] = ()
    pods: tuple[Json, ...] = ()

    @property
    def name(self) -> str:
        """Name the model."""
        return str(self.raw["metadata"]["name"])

    @property
    def status(self) -> Json:
        """Show its status; empty before the operator has looked."""
        found: Json = self.raw.get("status") or {}
        return found

    def condition(self, kind: str) -> Json:
        """Find a condition; empty if it is absent."""
        return next((each for each in self.status.get("conditions", []) if each["type"] == kind), {})

    @property
    def is_current(self) -> bool:
        """Tell whether the status speaks of the spec as it is."""
        return bool(self.status.get("observedGeneration") == self.raw["metadata"]["generation"])


def ask(access: Access, question: Callable[[Client], Awaitable[T]]) -> T:
    """Ask the cluster something, in an event loop of its own."""

    async def asking() -> T:
        connection = await load_connection(access.kubeconfig or None, access.context or None)
        server, session = client_session(connection, TIME)
        async with session:
            return await question(Client(server, session, TIME, lambda: False))

    return asyncio.run(asking())


async def seen(client: Client, namespace: str, name: str) -> Seen:
    """Look at one model."""
    raw = await client.get(MODEL_DEPLOYMENTS, namespace, name)
    if raw is None:
        message = f"No modeldeployments.inferfleet.dev {name} in namespace {namespace}."
        raise InferfleetError("NotFound", message)
    selector = f"{names.MODEL}={name}"
    sets, pods = [await allowed(client, kind, Scope(namespace, selector)) for kind in (REPLICA_SETS, PODS)]
    return Seen(raw, tuple(sets or ()), tuple(pods or ()))


async def all_seen(client: Client, namespace: str) -> list[Seen]:
    """Look at every model of a namespace."""
    found = await client.list(MODEL_DEPLOYMENTS, Scope(namespace))
    return [await seen(client, namespace, raw["metadata"]["name"]) for raw in found]


async def allowed(client: Client, kind: Kind, scope: Scope) -> list[Json] | None:
    """List objects, or give None where the user may not."""
    try:
        return await client.list(kind, scope)
    except KubeError as error:
        if error.status == 403:
            return None
        raise


def _context_namespace(kubeconfig: str, context: str) -> str:
    path = Path(kubeconfig) if kubeconfig else Path.home() / ".kube" / "config"
    try:
        found = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, yaml.YAMLError):
        return ""
    wanted = context or found.get("current-context")
    return next(
        (str(each["context"].get("namespace", "")) for each in found.get("contexts", []) if each["name"] == wanted), ""
    )
