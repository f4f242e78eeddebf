"""Rows 15 to 20 and 28: an API server that refuses, is overloaded, hangs or breaks off, seen from whole models.

The one rule: what passes by itself is outlasted without a word to the user; what does not is said where the user looks,
and the model next to it does not notice.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from faults.points import NEXT_IMAGE, picture, unlike
from inferfleet.api.base import PLURAL, Json
from support.fake_kube import Rule
from support.fake_kube.errors import cause, invalid
from support.simulation import Simulation

CHILDREN = (
    "networkpolicies", "services", "poddisruptionbudgets", "persistentvolumeclaims", "jobs", "controllerrevisions",
    "replicasets",
)  # fmt: skip
LONGEST_BACKOFF = 300.0


async def serve(sim: Simulation, *models: str, within: float = 60.0) -> float:
    """Create models, and return how long it takes until all of them serve."""
    for name in models or ("m",):
        sim.apply(name, replicas=1)
    return await sim.until(lambda: all(sim.serves(name) for name in models or ("m",)), within)


async def test_row_15_too_many_requests_are_waited_out_and_the_backlog_is_bounded_by_the_models(
    sim: Simulation,
) -> None:
    run = await sim.operator()
    names = [f"m{number}" for number in range(12)]
    await sim.passes(1.0)
    with sim.fake.fault(status=429, retry_after=5) as fault:
        for name in names:
            sim.apply(name, gpu={"count": 0})
        for _ in range(60):
            for name in names:
                sim.apply(name, replicas=1)
            await sim.passes(1.0)
            assert len(run.operator.queue) <= len(names)
        hits = fault.hits

    assert hits <= 60 / 5 * 40
    assert await sim.until(lambda: all(sim.serves(name) for name in names), 90.0) < 60.0
    assert sim.events() == []


@pytest.mark.parametrize("verb", ["create", "patch"])
async def test_row_16_a_conflict_is_read_again_and_tried_again_and_no_event_tells_of_it(
    sim: Simulation, verb: str
) -> None:
    await sim.operator()
    with sim.fake.fault(verb=verb, status=409, times=3) as fault:
        took = await serve(sim)

    assert fault.hits == 3
    assert took < 15
    assert sim.events() == []


async def test_row_16_an_edit_between_reading_and_status_is_no_error(sim: Simulation) -> None:
    await sim.operator()
    sim.apply()
    for number in range(40):
        sim.fake.patch(PLURAL, "default", "m", {"metadata": {"annotations": {"edited": str(number)}}})
        await sim.passes(0.05)
    await sim.settled()

    assert sim.events() == []


@pytest.mark.parametrize("plural", CHILDREN)
async def test_row_17_a_child_that_is_refused_is_said_and_costs_its_own_model_only(
    sim: Simulation, plural: str
) -> None:
    def admit(resource: object, _before: Json | None, after: Json) -> None:
        if resource is sim.fake.api.resource(plural) and after["metadata"]["name"].startswith("bad"):
            raise invalid("Thing", "bad", [cause("spec.nonsense", "must be sensible")])

    sim.fake.api.admission.append(admit)
    await sim.operator()
    sim.apply("bad")
    took = await serve(sim, "good")
    await sim.passes(60.0)

    assert took < 15
    serves = plural == "poddisruptionbudgets"
    assert sim.said("Ready", "bad") == (str(serves), "ChildRefused")
    assert "spec.nonsense: must be sensible" in sim.condition("Ready", "bad")["message"]
    assert sim.said("Reconciling", "bad")[0] == "True"
    warnings = [event for event in sim.events() if event["involvedObject"]["name"] == "bad"]
    assert [event["reason"] for event in warnings] == ["ChildRefused"]

    before = len(sim.fake.log)
    await sim.passes(1800.0)
    refused = [entry for entry in sim.fake.log[before:] if entry.resource == plural and entry.status == 422]
    tries = [entry for entry in refused if entry.name == refused[0].name]
    assert 1800 / LONGEST_BACKOFF <= len(tries) <= 1800 / 40

    sim.fake.api.admission.remove(admit)
    assert await sim.until(lambda: sim.serves("bad"), LONGEST_BACKOFF) < 90


async def test_row_18_a_status_that_is_refused_for_its_length_is_told_shorter_and_blocks_nothing(
    sim: Simulation,
) -> None:
    def too_long(obj: Json) -> list[Json]:
        said = (obj.get("status") or {}).get("conditions", [])
        return [cause("status", "too long")] if any(len(each["message"]) > 256 for each in said) else []

    sim.fake.api.validators[PLURAL] = too_long
    await sim.operator()
    sim.apply("huge", gpu={"count": 16}, template={"nodeSelector": {f"example.com/{n:060}": "x" for n in range(9)}})
    took = await serve(sim)
    await sim.until(lambda: sim.said("Ready", "huge")[0] == "False", 30.0)

    assert took < 15
    assert 100 < len(sim.condition("Ready", "huge")["message"]) <= 256
    before = len(sim.writes())
    await sim.passes(240.0)
    assert len(sim.writes()) - before <= 10


@pytest.mark.parametrize("status", [413, 422])
async def test_row_18_a_status_that_is_refused_altogether_does_not_keep_a_model_from_serving(
    sim: Simulation, status: int
) -> None:
    await sim.operator()
    with sim.fake.fault(resource=f"{PLURAL}/status", status=status):
        sim.apply(replicas=2)
        took = await sim.until(lambda: sim.ready() == 2, 60.0)
        await sim.passes(600.0)
        assert "conditions" not in sim.status()
    await sim.settled()

    assert took < 60
    assert sim.said("Ready") == ("True", "Serving")


@pytest.mark.parametrize("verb", ["create", "patch", "get"])
async def test_row_19_a_request_that_hangs_is_given_up_and_repeated_while_other_models_go_on(
    sim: Simulation, verb: str
) -> None:
    await sim.operator()
    await serve(sim, "calm")
    with sim.fake.fault(verb=verb, name="stuck" if verb != "create" else None, hang=True, times=1) as fault:
        sim.apply("stuck")
        sim.apply("calm", **NEXT_IMAGE)
        calm = await sim.until(lambda: sim.serves("calm"), 120.0)
        await sim.until(lambda: sim.serves("stuck"), 120.0)

    assert fault.hits == 1
    assert calm < 30


@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("verb", ["get", "create", "patch", "list", "watch", "delete"])
async def test_row_20_an_answer_that_breaks_off_is_asked_for_again(sim: Simulation, verb: str, how: str) -> None:
    with sim.fake.fault(verb=verb, times=2, landed=how == "reset", cut=how == "cut", reset=how == "reset") as fault:
        await sim.operator()
        took = await serve(sim)
        sim.apply(**NEXT_IMAGE)
        await sim.settled()

    assert fault.hits == 2
    assert took < 30
    assert sim.events() == []


RIGHTS = {
    "children may not be written": Rule(["patch", "create"], ["services"]),
    "records may not be written": Rule(["create"], ["controllerrevisions"]),
    "downloads may not be made": Rule(["create"], ["jobs"]),
    "pods may not be marked": Rule(["patch"], ["pods"]),
}


@pytest.mark.parametrize("right", RIGHTS)
async def test_row_28_a_right_that_was_taken_away_is_named_and_its_return_is_noticed(
    sim: Simulation, right: str, caplog: pytest.LogCaptureFixture
) -> None:
    rule = RIGHTS[right]
    sim.fake.tokens = {"t": "system:serviceaccount:inferfleet-system:inferfleet"}
    await sim.operator(token="t")
    sim.fake.denials.append(rule)
    sim.apply()
    await sim.until(lambda: sim.said("Ready") == ("False", "Forbidden"), 60.0)

    message = sim.condition("Ready")["message"]
    assert rule.resources[0] in message
    assert f"cannot {rule.verbs[0]} resource" in message
    assert message in caplog.text

    before = len(sim.fake.log)
    await sim.passes(600.0)
    denied = [entry for entry in sim.fake.log[before:] if entry.status == 403]
    assert 600 / LONGEST_BACKOFF <= len(denied) <= 600 / 48 + 8

    sim.fake.denials.remove(rule)
    assert await sim.until(sim.serves, LONGEST_BACKOFF) < 90


@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_row_28_what_may_not_be_watched_any_more_is_watched_again_when_it_may(sim: Simulation, verb: str) -> None:
    await sim.operator()
    await serve(sim)
    before = picture(sim)
    rule = Rule(["watch"] if verb == "watch" else ["list", "watch"], ["services"])
    sim.fake.denials.append(rule)
    sim.fake.drop_watches()
    if verb == "list":
        sim.fake.compact()
    await sim.passes(300.0)
    sim.fake.delete("services", "default", "m")
    asked = [entry for entry in sim.fake.log if entry.status == 403]

    sim.fake.denials.remove(rule)
    await sim.passes(40.0)

    assert unlike(picture(sim), before) == []
    assert 300 / 40 < len(asked) < 300


async def test_row_28_what_is_tried_again_backs_off_each_time(sim: Simulation) -> None:
    sim.fake.denials.append(Rule(["patch"], ["services"]))
    times: list[float] = []
    await sim.operator()
    sim.apply()
    seen = 0
    for _ in range(600):
        await sim.passes(0.5)
        now = sum(entry.status == 403 for entry in sim.fake.log)
        if now > seen:
            seen = now
            times.append(sim.clock.monotonic())

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(later >= earlier - 1.0 for earlier, later in pairwise(gaps[1:]))
