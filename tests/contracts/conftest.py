"""The servers that every contract test runs against: the fake always, a real one where one is given."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from inferfleet.kube.client import Client
from inferfleet.kube.connection import Connection, load_connection
from inferfleet.kube.session import client_session
from inferfleet.kube.transport import DEFAULT_LIMITS, Transport
from support.fake_kube import FakeKube
from support.fake_kube.clients import REAL_TIME, connection_to
from support.fake_kube.under_test import NAMESPACES, SERVICE_ACCOUNTS, Server, eventually

_REAL = os.environ.get("INFERFLEET_KUBECONFIG")
_TOKEN = "a-good-token"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the whole suite."""
    for item in items:
        if "contracts" in item.path.parts:
            item.add_marker(pytest.mark.contract)


@pytest.fixture(params=["fake", "real"] if _REAL else ["fake"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """One API server with a fresh namespace."""
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(_fake()) if request.param == "fake" else None
        connection = connection_to(fake.url, _TOKEN) if fake else await load_connection(_REAL)
        yield await _prepared(stack, connection, fake)


def _fake() -> FakeKube:
    fake = FakeKube()
    fake.tokens = {_TOKEN: "admin"}
    fake.enable("collector", "replica_sets", "jobs", "quotas")
    return fake


async def _prepared(stack: AsyncExitStack, connection: Connection, fake: FakeKube | None) -> Server:
    address, session = client_session(connection, REAL_TIME)
    await stack.enter_async_context(session)
    client = Client(address, session, REAL_TIME, lambda: True)
    transport = Transport(address, session, REAL_TIME, lambda: True, DEFAULT_LIMITS)
    name = f"contract-{uuid4().hex[:12]}"
    made = await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, NAMESPACES)
    server = Server(client, transport, connection, name, fake)
    stack.push_async_callback(server.remove_namespace, made["metadata"]["uid"])
    if fake is None:
        await eventually(lambda: client.get(SERVICE_ACCOUNTS, name, "default"), lambda found: found)
    return server
