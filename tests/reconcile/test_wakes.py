"""Who is woken by what, and what a beat that finds nothing to do does not do again."""

from __future__ import annotations

from typing import Any

import pytest

from inferfleet.reconcile import apply
from inferfleet.reconcile.queue import Key
from support.operator_run import OperatorRun
from support.pods import foreign_pod
from support.simulation import Simulation

M = Key("default", "m")


async def run_with(sim: Simulation, **spec: Any) -> OperatorRun:
    run = await sim.operator()
    sim.apply(**spec)
    await sim.quiet()
    return run


def looks(sim: Simulation, name: str = "m") -> int:
    """Count the beats of a model: each begins with a read of it."""
    return sum(
        entry.verb == "get" and (entry.resource, entry.name) == ("modeldeployments", name) for entry in sim.fake.log
    )


async def test_a_status_of_our_own_wakes_nobody_and_anybody_elses_edit_does(sim: Simulation) -> None:
    run = await run_with(sim)
    model = sim.model()
    assert model is not None
    before = looks(sim)

    run.operator.told(M, model["metadata"]["resourceVersion"])
    await sim.passes(5.0)
    after_ours = looks(sim)
    sim.fake.patch("modeldeployments", "default", "m", {"metadata": {"labels": {"team": "a"}}})
    await sim.passes(5.0)

    assert after_ours == before
    assert looks(sim) == before + 1


async def test_a_model_that_waits_for_a_gpu_is_woken_once_for_changes_that_come_together(sim: Simulation) -> None:
    sim.fake.add(foreign_pod("full-1", "n1", 8))
    sim.fake.add(foreign_pod("full-2", "n2", 8))
    await run_with(sim)
    assert sim.said("Scheduled")[0] == "False"
    before = looks(sim)

    for number in range(6):
        sim.fake.add(foreign_pod(f"more-{number}", "n1", 1))
        await sim.passes(0.1)
    await sim.passes(0.3)
    during = looks(sim)
    await sim.passes(3.0)

    assert during == before
    assert before + 1 <= looks(sim) <= before + 2


async def test_a_gpu_that_becomes_free_is_taken_within_two_seconds(sim: Simulation) -> None:
    for node in ("n1", "n2"):
        sim.fake.add(foreign_pod(f"full-{node}", node, 8))
    await run_with(sim)

    sim.fake.delete("pods", "default", "full-n1")

    assert await sim.until(lambda: sim.said("Scheduled")[0] != "False", 5.0) <= 2.0


async def test_a_model_that_serves_is_not_woken_by_pods_of_others(sim: Simulation) -> None:
    await run_with(sim)
    assert sim.serves()
    before = looks(sim)

    sim.fake.add(foreign_pod("other", "n1", 1))
    await sim.passes(5.0)

    assert looks(sim) == before


async def test_a_child_is_compared_with_its_manifest_once_for_each_of_its_states(
    sim: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await run_with(sim)
    compared: list[str] = []

    def differs(wanted: dict[str, dict[str, str]], live: object) -> list[str]:
        compared.append(wanted["metadata"]["name"])
        return []

    monkeypatch.setattr(apply, "differs", differs)
    run.operator.queue.add(M)
    await sim.passes(5.0)
    settled = list(compared)
    sim.fake.patch("services", "default", "m", {"metadata": {"labels": {"theirs": "1"}}})
    await sim.passes(5.0)

    assert looks(sim) > 0
    assert settled == []
    assert compared == ["m"]


async def test_a_download_is_read_at_once_however_long_the_queue_is(
    sim: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await sim.operator()
    sim.apply()
    await sim.until(lambda: sim.fake.all("jobs"), 5.0)
    monkeypatch.setattr(run.operator.queue, "_next", lambda: None)

    await sim.passes(10.0)

    assert [path for _, path in sim.downloads.asked] == ["/result"]
    assert sim.fake.all("jobs")[0]["status"]["succeeded"] == 1


async def test_nothing_is_remembered_of_the_downloads_of_a_model_that_is_gone(sim: Simulation) -> None:
    run = await run_with(sim)
    reader = run.operator._reader
    assert list(reader._uids) == [M]

    sim.fake.delete("modeldeployments", "default", "m")
    await sim.passes(60.0)

    assert sim.fake.all("pods") == []
    assert (reader._uids, reader._found, reader._progress, reader._keys) == ({}, {}, {}, {})
