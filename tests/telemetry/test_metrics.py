"""What `/metrics` shows is what happened, in every series, and no label holds what a user wrote."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from inferfleet.api.base import PLURAL
from inferfleet.handlers import series, watchdog
from inferfleet.handlers.process import Process, RunOptions
from inferfleet.handlers.watchdog import Watchdog
from inferfleet.reconcile.queue import Key
from inferfleet.reconcile.workers import Workers
from inferfleet.telemetry.metrics import Metrics
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to
from support.fake_kube.election import Election
from support.makers import CONFIG
from support.operator_run import OperatorRun
from support.simulation import Simulation
from telemetry.pages import Page, scrape
from tools import reference_code

VERBS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}


async def serving(sim: Simulation, *models: str) -> OperatorRun:
    """Let an operator bring models up, with every series that its process would show."""
    run = await sim.operator()
    series.show_work(run.metrics, lambda: run.operator)
    series.show_informers(run.metrics, lambda: run.operator, sim.clock.monotonic)
    for name in models:
        sim.apply(name)
    await sim.settled(*models)
    return run


async def test_every_write_is_counted_by_kind_and_verb(sim: Simulation) -> None:
    run = await serving(sim, "m")
    sim.apply("m", template={"labels": {"team": "blue"}})
    await sim.settled("m")

    page = await scrape(run.metrics)

    done = [entry for entry in sim.writes() if entry.status < 300]
    by_resource = Counter(entry.resource for entry in done if not entry.subresource)
    assert page.total("inferfleet_writes_total") == len(done)
    assert page.value("inferfleet_writes_total", kind="NetworkPolicy", verb="apply") == by_resource["networkpolicies"]
    assert page.value("inferfleet_writes_total", kind="Job", verb="create") == 2
    assert page.value("inferfleet_writes_total", kind="ReplicaSet", verb="delete") == 1
    assert page.value("inferfleet_writes_total", kind="Pod", verb="patch") == by_resource["pods"] > 0
    statuses = sum(entry.subresource == "status" for entry in done)
    assert page.value("inferfleet_writes_total", kind="ModelDeployment", verb="status") == statuses > 3


async def test_every_request_is_counted_by_verb_resource_and_status(sim: Simulation) -> None:
    run = await serving(sim, "m")

    page = await scrape(run.metrics)

    asked = Counter(
        (VERBS[entry.verb], entry.resource + (f"/{entry.subresource}" if entry.subresource else ""), str(entry.status))
        for entry in sim.fake.log
    )
    for (verb, resource, status), count in asked.items():
        labels = {"verb": verb, "resource": resource, "status": status}
        assert page.value("inferfleet_api_request_duration_seconds_count", **labels) == count, labels


async def test_beats_are_timed_and_told_apart_by_how_they_ended(sim: Simulation) -> None:
    metrics = Metrics()
    run = await serving(sim, "m")
    ends: list[Exception | None] = [None, None, ValueError("of a user: secret")]

    async def beat(_: Key) -> None:
        await asyncio.sleep(0.3)
        if (error := ends.pop()) is not None:
            raise error

    workers = Workers(run.operator.queue, beat, metrics, sim.clock.monotonic, lambda seconds: seconds)
    for _ in range(3):
        await workers._one(Key("default", "m"))
    page = await scrape(metrics)

    name = "inferfleet_beat_duration_seconds"
    assert page.value(f"{name}_count", result="done") == 2
    assert page.value(f"{name}_count", result="failed") == 1
    assert page.value(f"{name}_sum", result="done") == pytest.approx(0.6, abs=0.01)
    assert page.value(f"{name}_bucket", result="done", le="0.25") == 0
    assert page.value(f"{name}_bucket", result="done", le="0.5") == 2


async def test_the_queue_shows_its_depth_its_oldest_key_and_what_came_to_it(sim: Simulation) -> None:
    run = await serving(sim, "m")
    before = await scrape(run.metrics)
    queue = run.operator.queue

    run.operator.stop()
    await run.task
    queue.add(Key("default", "a"))
    await sim.passes(7.0)
    queue.add(Key("other", "b"))
    queue.add(Key("other", "b"))
    queue.retry(Key("other", "c"))
    page = await scrape(run.metrics)

    assert before.value("inferfleet_workqueue_depth") == 0
    assert before.value("inferfleet_workqueue_oldest_age_seconds") == 0
    assert page.value("inferfleet_workqueue_depth") == 2
    assert page.value("inferfleet_workqueue_oldest_age_seconds") == pytest.approx(7.0, abs=0.01)
    assert page.value("inferfleet_workqueue_adds_total") - before.value("inferfleet_workqueue_adds_total") == 3
    assert page.value("inferfleet_workqueue_retries_total") == 1
    assert page.value("inferfleet_active_workers") == 0
    await queue.take()
    assert (await scrape(run.metrics)).value("inferfleet_active_workers") == 1


async def test_the_caches_show_how_many_objects_of_each_kind_they_hold(sim: Simulation) -> None:
    run = await serving(sim, "m", "n")

    page = await scrape(run.metrics)

    found = {labels["cache"]: page.value("inferfleet_informer_objects", **labels) for labels in _caches(page)}
    for name in ("replicasets", "controllerrevisions", "services", "jobs", "pods", "nodes"):
        assert found.pop(name) == len(sim.fake.all(name)) > 0, name
    assert found.pop("gpupods") == 2
    assert found.pop("resourcequotas") == 0
    assert set(found) == {"configmaps", "networkpolicies", "persistentvolumeclaims", "poddisruptionbudgets"}


def _caches(page: Page) -> list[dict[str, str]]:
    return page.labels("inferfleet_informer_objects")


async def test_watches_show_their_listings_their_breaks_and_their_silence(sim: Simulation) -> None:
    run = await serving(sim, "m")
    before = await scrape(run.metrics)

    with sim.fake.fault(verb="watch", resource="jobs", status=410, times=1):
        sim.fake.drop_watches()
        await sim.passes(30.0)
    sim.fake.freeze_watches()
    await sim.passes(20.0)
    page = await scrape(run.metrics)

    relists = "inferfleet_watch_relists_total"
    assert before.value(relists, resource="jobs") == 1
    assert page.value(relists, resource="jobs") == 2
    assert page.value(relists, resource="services") == 1
    assert page.value("inferfleet_watch_restarts_total", resource="services", reason="Unreachable") == 1
    assert page.value("inferfleet_watch_restarts_total", resource="jobs", reason="Expired") == 1
    assert page.value("inferfleet_watch_silence_seconds", resource="jobs") >= 20.0


async def test_a_reason_that_is_none_of_ours_is_shown_as_other() -> None:
    metrics = Metrics()
    metrics.restarted("jobs", "canary of a webhook")

    page = await scrape(metrics)

    assert page.labels("inferfleet_watch_restarts_total") == [{"resource": "jobs", "reason": "Other"}]


async def test_one_replica_shows_that_it_leads_and_both_show_how_often_the_leader_changed() -> None:
    clock = ManualClock()
    election = Election(FakeKube(clock), clock)
    first, second = [await election.join(name) for name in ("one", "two")]
    shown = [Metrics(), Metrics()]
    for metrics, replica in zip(shown, (first, second), strict=True):
        series.show_lease(metrics, partial(getattr, replica, "lease"))

    before = [await scrape(metrics) for metrics in shown]
    first.kill()
    await clock.advance(20.0)
    after = [await scrape(metrics) for metrics in shown]
    second.kill()

    assert [page.value("inferfleet_leader") for page in before] == [1, 0]
    assert [page.value("inferfleet_leader") for page in after] == [0, 1]
    assert [page.value("inferfleet_leader_transitions_total") for page in after] == [0, 1]


async def test_events_that_were_dropped_are_counted(sim: Simulation) -> None:
    run = await serving(sim, "m")

    with sim.fake.fault(verb="create", resource="events", status=403):
        sim.apply("m", replicas=2, gpu={"products": ["A100-80GB"]})
        await sim.passes(30.0)
    page = await scrape(run.metrics)

    assert page.value("inferfleet_events_dropped_total") == run.operator.dropped_events > 0


async def test_how_late_a_loop_is_is_seen_twice_a_second(monkeypatch: pytest.MonkeyPatch, sim: Simulation) -> None:
    metrics = Metrics()
    moments = iter((0.0, 0.5, 0.5, 1.3, 1.3))

    class Time:
        monotonic = staticmethod(lambda: next(moments))

    monkeypatch.setattr(watchdog, "time", Time)
    beating = asyncio.create_task(Watchdog(metrics.lagged).beat("main"))
    await sim.passes(1.1)
    beating.cancel()
    page = await scrape(metrics)

    name = "inferfleet_loop_lag_seconds"
    assert page.value(f"{name}_bucket", loop="main", le="0.005") == 1
    assert page.value(f"{name}_bucket", loop="main", le="0.25") == 1
    assert page.value(f"{name}_bucket", loop="main", le="0.5") == 2
    assert page.value(f"{name}_sum", loop="main") == pytest.approx(0.3)


async def test_a_process_that_stands_by_shows_every_metric_of_the_page_at_rest(sim: Simulation) -> None:
    process = Process(RunOptions(CONFIG, "test-0", time=sim.clock.time), connection_to(sim.fake.url))

    page = await scrape(process.metrics)

    documented = {name.removesuffix("_total") for name, *_ in reference_code._metrics()}
    assert {name for name in page.kinds if not name.startswith("process_")} == documented
    for name in ("inferfleet_leader", "inferfleet_leader_transitions_total", "inferfleet_workqueue_depth"):
        assert page.value(name) == 0
    assert page.value("process_resident_memory_bytes") > 1 << 20


async def test_no_label_holds_what_a_user_wrote(sim: Simulation) -> None:
    run = await sim.operator()
    series.show_work(run.metrics, lambda: run.operator)
    sim.fake.add_namespace("canary-space")
    sim.apply("canary-model", "canary-space", model={"source": "hf://canary/canary"})
    sim.apply("canary-bad", "canary-space", gpu={"products": ["canary"]})
    await sim.until(lambda: sim.serves("canary-model", "canary-space"))

    page = await scrape(run.metrics)

    told = {value for _, labels in page.values for _, value in labels}
    assert [value for value in told if "canary" in value] == []


def test_the_page_tells_the_kind_and_the_labels_that_are_served() -> None:
    page = Path(reference_code.PACKAGE.parents[1] / "docs/reference/metrics.md").read_text("utf-8")

    assert "| `inferfleet_writes_total` | counter | `kind`, `verb` |" in page
    assert "| `inferfleet_informer_objects` | gauge | `cache` |" in page
    assert PLURAL not in page
