"""Informer, Lease and event recorder at work together, as the process uses them."""

from __future__ import annotations

import asyncio

from inferfleet.api.base import Json
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.events import EventRecorder
from inferfleet.kube.informer import Informer, Watched
from inferfleet.kube.kinds import CONFIG_MAPS, EVENTS, LEASES, Ref
from inferfleet.kube.lease import Lease, Terms
from inferfleet.kube.store import Store
from support.fake_kube.clients import REAL_TIME, Meter, open_client, until
from support.fake_kube.following import running
from support.fake_kube.manifests import config_map
from support.fake_kube.under_test import Server

BRISK = Terms(duration_seconds=2, renew_seconds=1.5, retry_seconds=0.2)


async def test_an_informer_tells_what_happened_before_and_after_it_began(server: Server) -> None:
    told: list[tuple[str | None, str | None]] = []
    store: Store[str] = Store(data_of, lambda old, new: told.append((old, new)))
    scope = Scope(server.namespace, "mine=yes")
    await server.client.create(config_map("old", {"v": "old"}, server.namespace, labels={"mine": "yes"}))
    informer = Informer(server.client, Watched(CONFIG_MAPS, scope), store, REAL_TIME, Meter())

    async with running(informer.run()):
        await informer.synced.wait()
        made = await server.client.create(config_map("new", {"v": "1"}, server.namespace, labels={"mine": "yes"}))
        await server.client.merge_patch(Ref(CONFIG_MAPS, server.namespace, "new"), {"data": {"v": "2"}})
        await until(lambda: store.get(server.namespace, "new") == "2", 10)
        await server.client.delete(Ref(CONFIG_MAPS, server.namespace, "new"), made["metadata"]["uid"])
        store.learn(made)
        await until(lambda: len(store) == 1, 10)

    assert told[0] == (None, "old")
    assert told[-1] == ("2", None)


def data_of(obj: Json) -> str | None:
    return str((obj.get("data") or {}).get("v"))


async def test_a_lease_is_taken_renewed_released_and_taken_by_the_next(server: Server) -> None:
    first, second = (Lease(server.client, server.namespace, "one", name, REAL_TIME, BRISK) for name in ("a", "b"))
    await first.acquire()
    async with running(first.hold()):
        standing_by = asyncio.create_task(second.acquire())
        await asyncio.sleep(2.5)
        alone = first.valid() and not second.valid()
    await first.release()
    await asyncio.wait_for(standing_by, 3)

    assert alone
    assert second.valid()
    assert not first.valid()
    found = await server.client.get(LEASES, server.namespace, "one")
    assert found is not None
    assert (found["spec"]["holderIdentity"], found["spec"]["leaseTransitions"]) == ("b", 1)


async def test_what_is_told_about_an_object_can_be_read_as_its_event(server: Server) -> None:
    made = await server.client.create(config_map("one", {}, server.namespace))
    recorder = EventRecorder(server.client, "pod-1", REAL_TIME)

    async with running(recorder.run()):
        about = Ref(CONFIG_MAPS, server.namespace, "one")
        recorder.record(about, made["metadata"]["uid"], "Warning", "NoGpuFree", "2 of 8 GPUs are free.")
        await recorder.flush()

    (event,) = await server.client.list(EVENTS, Scope(server.namespace))
    assert recorder.dropped == 0
    assert (event["reason"], event["involvedObject"]["uid"]) == ("NoGpuFree", made["metadata"]["uid"])


async def test_a_replica_that_may_not_write_changes_nothing(server: Server) -> None:
    async with open_client(server.connection, may_write=lambda: False) as client:
        answers = await asyncio.gather(client.apply(config_map("one", {}, server.namespace)), return_exceptions=True)

    assert "NotLeader" in str(answers[0])
    assert await has_none(server.client, server.namespace)


async def has_none(client: Client, namespace: str) -> bool:
    return await client.get(CONFIG_MAPS, namespace, "one") is None
