"""Rows 21, 22, 25 and 26: events that come late, twice, in disorder, or never.

The one rule: what the operator does depends on what there is, and never on how it heard of it.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from faults.points import picture, unlike
from inferfleet.api.base import PLURAL, Json
from inferfleet.fleet import names
from inferfleet.kube.store import Store
from inferfleet.reconcile.caches import Caches
from support.fake_kube.storage import key_of
from support.operator_run import OperatorRun
from support.simulation import Simulation


def stores(run: OperatorRun) -> dict[str, Store[Any]]:
    """Show the caches of an operator by the plural name of what they hold."""
    caches: Caches = run.operator._caches
    found: dict[str, Store[Any]] = {kind.plural: store for kind, store in caches.children.items()}
    return found | {"pods": caches.pods, "nodes": caches.nodes}


def believed(run: OperatorRun) -> dict[str, set[str]]:
    """Show what an operator believes that there is, by uid."""
    return {plural: {entry.uid for entry in store._entries.values()} for plural, store in stores(run).items()}


def there_is(sim: Simulation) -> dict[str, set[str]]:
    """Show what there is, as far as an operator looks."""
    found = {plural: {each["metadata"]["uid"] for each in children} for plural, children in _labelled(sim).items()}
    return found | {"nodes": {node["metadata"]["uid"] for node in sim.fake.all("nodes")}}


def _labelled(sim: Simulation) -> dict[str, list[Json]]:
    plurals = [*sim.children(), "pods"]
    return {plural: sim.fake.all(plural, labels=names.SELECTOR) for plural in plurals}


async def test_row_21_watches_that_fall_silent_cost_seventy_seconds_at_most(sim: Simulation) -> None:
    await sim.operator()
    sim.apply()
    await sim.settled()
    before = picture(sim)
    lists = sum(entry.verb == "list" for entry in sim.fake.log)

    sim.fake.freeze_watches()
    sim.fake.delete("services", "default", "m")
    await sim.passes(80.0)

    assert unlike(picture(sim), before) == []
    assert sum(entry.verb == "list" for entry in sim.fake.log) == lists


@pytest.mark.parametrize("how", ["compacted", "restarted"])
async def test_row_22_26_after_a_gap_what_was_deleted_and_made_meanwhile_is_known(sim: Simulation, how: str) -> None:
    run = await sim.operator()
    sim.apply("stays")
    sim.apply("goes")
    await sim.settled("stays", "goes")
    before = picture(sim)
    port = sim.fake._server.port
    run.listener.deaf = True

    await sim.fake.stop()
    sim.fake.delete("services", "default", "stays")
    sim.fake.delete(PLURAL, "default", "goes")
    sim.fake.add_node("n3", 8)
    sim.fake.compact()
    await sim.passes(20.0)
    await sim.fake.start(port)
    if how == "compacted":
        sim.fake.drop_watches()
    await sim.passes(45.0)

    assert there_is(sim) == believed(run)
    assert unlike(picture(sim), before) == []
    assert sim.fake.get("services", "default", "stays") is not None
    left = {plural for plural, found in sim.children("goes").items() if found}
    assert left == {"persistentvolumeclaims"}
    before_quiet = len(sim.writes())
    await sim.passes(600.0)
    assert sim.writes()[before_quiet:] == []


async def test_row_22_a_model_that_was_deleted_unheard_is_found_by_the_resync(sim: Simulation) -> None:
    run = await sim.operator()
    sim.apply(gpu={"count": 0})
    await sim.settled()
    run.listener.deaf = True
    sim.fake.controllers.collector.enabled = False

    sim.fake.delete(PLURAL, "default", "m")
    before = len(sim.fake.log)
    await sim.passes(400.0)

    asked = [entry.status for entry in sim.fake.log[before:] if entry.verb == "get"]
    assert asked == [404]
    assert run.operator._caches.waiting == set()
    assert not run.operator._prober.rounds._places


@pytest.mark.parametrize("seed", range(5))
async def test_row_25_events_that_come_again_and_in_disorder_change_nothing(sim: Simulation, seed: int) -> None:
    run = await sim.operator()
    sim.apply(replicas=2)
    await sim.settled()
    sim.apply(replicas=1)
    await sim.settled()
    before, known = len(sim.writes()), believed(run)
    chance = Random(seed)
    history = [change for change in sim.fake.api.storage.since(0) if change.resource.plural in stores(run)]
    assert len(history) >= 40

    for change in chance.choices(history, k=300):
        store, stored = stores(run)[change.resource.plural], change.after or change.before
        assert stored is not None
        raw = json.loads(stored.raw)
        if change.after is not None:
            store.learn(raw)
        elif chance.random() < 0.5:
            store.forget(raw)
        if chance.random() < 0.1:
            await sim.passes(chance.random())
    await sim.passes(30.0)

    assert sim.writes()[before:] == []
    assert believed(run) == known
    assert sim.ready() == 1


async def test_row_25_wake_ups_without_a_reason_cause_no_write(sim: Simulation) -> None:
    run = await sim.operator()
    sim.apply()
    await sim.settled()
    before = len(sim.writes())
    key = next(iter(run.operator._caches.pods)).key

    for _ in range(50):
        run.operator.queue.add(key)
        await sim.passes(0.01)
    await sim.passes(5.0)

    assert sim.writes()[before:] == []
    assert key_of(sim.fake.all(PLURAL)[0]) == (key.namespace, key.name)
