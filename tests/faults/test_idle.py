"""Row 36: a settled fleet is left in peace, through resyncs, watches that end, and probes.

The one rule: nothing is written, and nothing moves, not even a version.
"""

from __future__ import annotations

from inferfleet.fleet.text import public
from inferfleet.serving.triton import Asked, Inference
from support.fake_kube import FakeKube
from support.simulation import Simulation

QUIET_SECONDS = 1200.0
"""Two minutes are asked for; this is four resyncs of every model and four ends of every watch."""


def versions(fake: FakeKube) -> dict[str, str]:
    """Show the version of every object in the cluster but Leases."""
    kinds = [kind for kind in fake.api.resources.values() if kind.plural != "leases"]
    found = [each for kind in kinds for each in fake.all(kind.plural)]
    return {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in found}


async def test_row_36_a_settled_fleet_causes_no_write_and_no_new_version(sim: Simulation) -> None:
    await sim.operator()
    sim.apply("plain", replicas=2)
    sim.apply("shared", cache={"claim": "theirs"}, replicas=1)
    sim.apply("pods", cache={"type": "Pod"}, access={"egress": "Allow"})
    sim.apply("asleep", suspend=True)
    sim.apply("cpu", gpu={"count": 0}, template={"annotations": {"note": "x"}, "server": {"env": [{"name": "A"}]}})
    sim.apply("refused", gpu={"products": ["no-such-class"]})
    sim.apply("huge", gpu={"count": 16})
    await sim.settled("plain", "shared", "pods", "cpu")
    before = versions(sim.fake)
    asked = len(sim.fake.log)

    await sim.passes(QUIET_SECONDS)

    assert [(entry.verb, entry.resource, entry.name) for entry in sim.fake.log[asked:] if entry.writes] == []
    assert versions(sim.fake) == before
    reads = [entry for entry in sim.fake.log[asked:] if entry.verb == "get"]
    assert len(reads) <= 7 * (QUIET_SECONDS / 240 + 1)


async def test_row_36_a_model_that_loads_for_long_is_waited_for_without_writes(sim: Simulation) -> None:
    sim.script = lambda asked: Inference("refused", public("UNAVAILABLE: still loading"))
    await sim.operator()
    sim.apply()
    await sim.until(lambda: sim.said("Ready") == ("False", "Loading"))
    await sim.quiet()
    before = len(sim.writes())

    await sim.passes(600)

    assert sim.writes()[before:] == []


async def test_row_36_probes_that_say_the_same_wake_nobody(sim: Simulation) -> None:
    asked: list[Asked] = []

    def answer(question: Asked) -> Inference:
        asked.append(question)
        return Inference("answered")

    sim.script = answer
    await sim.operator()
    sim.apply()
    await sim.settled()
    before, questions = len(sim.fake.log), len(asked)

    await sim.passes(200)

    assert len(asked) - questions >= 6
    assert [entry for entry in sim.fake.log[before:] if entry.verb == "get"] == []
