"""A whole process with kopf itself, in its own thread and in real time: elsewhere a listener stands in for it.

The one rule: kopf ends with its kind, so that no thread is left behind.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from time import monotonic

import pytest

from inferfleet.api.base import API_VERSION, KIND, PLURAL, Json
from inferfleet.api.crd import crd
from inferfleet.handlers.process import Process, RunOptions
from support.fake_kube import FakeKube
from support.fake_kube.clients import connection_to, until
from support.fake_kube.election import held_by
from support.makers import CONFIG


@pytest.fixture
async def kube() -> AsyncIterator[FakeKube]:
    async with FakeKube() as fake:
        fake.add_namespace(CONFIG.namespace)
        fake.add(crd())
        fake.tokens = {"t": "operator"}
        yield fake


def model(name: str) -> Json:
    spec = {"model": {"source": "hf://org/model"}}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def looked_at(kube: FakeKube, name: str) -> Callable[[], bool]:
    """Ask whether a model has a status."""
    return lambda: bool(((kube.get(PLURAL, "default", name) or {}).get("status") or {}).get("conditions"))


def kopf_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kopf"]


async def test_row_23_27_kopf_wakes_outlasts_refused_tokens_leaves_nothing_and_ends_with_its_kind(
    kube: FakeKube,
) -> None:
    config = CONFIG.model_copy(update={"lease": "blue-inferfleet"})
    process = Process(RunOptions(config, "pod-0"), connection_to(kube.url, "t"))
    running = asyncio.create_task(process._stand_and_lead())
    await until(lambda: bool(kopf_threads()))
    kube.add(model("first"))
    await until(looked_at(kube, "first"), 10.0)
    assert [lease["metadata"]["name"] for lease in kube.all("leases")] == ["blue-inferfleet"]

    tokens, kube.tokens = kube.tokens, {}
    kube.close_watches()
    await until(lambda: kube.refused >= 3)
    kube.tokens = tokens
    kube.add(model("second"))
    await until(looked_at(kube, "second"), 15.0)
    assert not running.done()
    found = kube.all(PLURAL)

    begun = monotonic()
    kube.delete("customresourcedefinitions", "", crd()["metadata"]["name"])
    status = await asyncio.wait_for(running, 10.0)

    assert (status, monotonic() - begun < 5.0) == (1, True)
    assert [set(each["metadata"]) & {"annotations", "finalizers"} for each in found] == [set(), set()]
    assert {entry.resource for entry in kube.writes("leases", "events")} >= {PLURAL}
    assert [entry for entry in kube.writes() if entry.resource == PLURAL and entry.subresource != "status"] == []
    for thread in kopf_threads():
        await asyncio.to_thread(thread.join, 5.0)
    assert kopf_threads() == []


async def test_row_23_a_leader_whose_kind_is_gone_when_it_begins_ends_and_does_not_live_on_deaf(kube: FakeKube) -> None:
    process = Process(RunOptions(CONFIG, "pod-0"), connection_to(kube.url, "t"))
    rival = held_by("rival", 15)
    kube.add({**rival, "metadata": {**rival["metadata"], "namespace": CONFIG.namespace}})
    running = asyncio.create_task(process._stand_and_lead())
    await until(lambda: any(entry.resource == "leases" for entry in kube.log))

    kube.delete("customresourcedefinitions", "", crd()["metadata"]["name"])
    kube.patch("leases", CONFIG.namespace, "inferfleet", {"spec": {"holderIdentity": ""}})
    status = await asyncio.wait_for(running, 15.0)

    assert status == 1
    for thread in kopf_threads():
        await asyncio.to_thread(thread.join, 10.0)
    assert kopf_threads() == []
