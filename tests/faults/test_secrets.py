"""Row 47: a canary in every place where a secret may be, looked for in everything that is shown.

The one rule: what is shown is status, Events, logs, metrics, and annotations and labels of what we make.
"""

from __future__ import annotations

import logging

import orjson
import pytest

from inferfleet.fleet import names
from inferfleet.reconcile import beat
from inferfleet.render.record import NOTE
from inferfleet.serving.triton import Asked, Inference
from inferfleet.telemetry.logs import JsonLines
from support.fake_kube import Fate
from support.fake_kube.errors import cause, forbidden, invalid
from support.operator_run import OperatorRun
from support.pods import role_of
from support.simulation import Simulation

CANARY = "hf_Canary0123456789abcdef"
"""Shaped as a token of a hub is; what has no shape at all must not get anywhere in the first place."""
SHAPELESS = "canary-in-a-coal-mine"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def shown(sim: Simulation, run: OperatorRun, log: pytest.LogCaptureFixture) -> str:
    """Put everything together that anybody can see of the operator."""
    parts = [orjson.dumps(sim.fake.all("events")).decode(), run.metrics.text().decode()]
    parts += [orjson.dumps(model.get("status", {})).decode() for model in sim.fake.all("modeldeployments")]
    parts += [JsonLines().format(record) for record in log.records]
    for children in [*sim.children().values(), sim.fake.all("pods", labels=names.SELECTOR)]:
        for child in children:
            meta = child["metadata"]
            notes = {key: note for key, note in meta.get("annotations", {}).items() if key != NOTE}
            parts.append(orjson.dumps([notes, meta.get("labels", {})]).decode())
    return "\n".join(parts)


def with_canaries(sim: Simulation) -> None:
    """Write a model with a secret in every place that takes one."""
    env = [
        {"name": "PLAIN", "value": f"{SHAPELESS} {CANARY}"},
        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
    ]
    sim.fake.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"k": SHAPELESS}})
    sim.fake.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "data": {"HF_TOKEN": SHAPELESS}})
    source = {"source": "hf://org/model", "secretRef": {"name": "hub"}}
    sim.apply(model=source, template={"server": {"env": env}})


async def test_row_47_a_canary_in_environment_and_secrets_is_seen_nowhere(
    sim: Simulation, log: pytest.LogCaptureFixture
) -> None:
    sim.fake.tokens = {SHAPELESS: "operator"}
    run = await sim.operator(token=SHAPELESS)
    with_canaries(sim)
    await sim.settled()

    text = shown(sim, run, log)

    assert CANARY not in text
    assert SHAPELESS not in text
    assert [entry for entry in sim.fake.log if entry.resource == "secrets"] == []


async def test_row_47_a_token_that_is_refused_is_not_told(sim: Simulation, log: pytest.LogCaptureFixture) -> None:
    sim.fake.tokens = {"another": "operator"}
    run = await sim.operator(token=SHAPELESS)
    with_canaries(sim)

    await sim.passes(60)

    assert sim.fake.refused
    assert SHAPELESS not in shown(sim, run, log)


@pytest.mark.parametrize("refusal", ["validation", "webhook"])
async def test_row_47_a_refusal_that_quotes_the_environment_is_told_without_it(
    sim: Simulation, log: pytest.LogCaptureFixture, refusal: str
) -> None:
    def admit(resource: object, _before: object, after: object) -> None:
        if resource is not sim.fake.api.resource("replicasets"):
            return
        if refusal == "validation":
            quoted = f'Invalid value: "{SHAPELESS} {CANARY}": must be something else'
            raise invalid("ReplicaSet.apps", "m", [cause("spec.template.spec.containers[0].env[0].value", quoted)])
        raise forbidden("replicasets.apps", "m", f'admission webhook "w" denied the request: PLAIN={CANARY}')

    sim.fake.api.admission.append(admit)
    run = await sim.operator()
    with_canaries(sim)
    await sim.until(lambda: sim.said("Ready")[1] in ("ChildRefused", "Forbidden"))
    await sim.quiet()

    text = shown(sim, run, log)

    assert CANARY not in text
    assert refusal == "webhook" or SHAPELESS not in text
    assert ("must be something else" if refusal == "validation" else "denied the request") in text


async def test_row_47_an_error_of_our_own_is_logged_with_its_place_and_without_its_text(
    sim: Simulation, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError(f"cannot read {SHAPELESS}")

    monkeypatch.setattr(beat, "decide", broken)
    run = await sim.operator()
    with_canaries(sim)

    await sim.passes(10)

    text = shown(sim, run, log)
    assert "InternalError" in text
    assert "ValueError" in text
    assert "test_secrets.py" in text
    assert SHAPELESS not in text


@pytest.mark.parametrize("role", [names.ROLE_SERVER, names.ROLE_DOWNLOAD])
async def test_row_47_the_last_words_of_a_container_are_shown_without_the_token(
    sim: Simulation, log: pytest.LogCaptureFixture, role: str
) -> None:
    words = f"failed to load: 401 for Authorization: Bearer {CANARY}, https://user:{CANARY}@mirror/x, token={CANARY}"
    fate = Fate(waiting="CrashLoopBackOff", restarts=3, exit_code=1, message=words, ready_after=None)
    sim.fake.controllers.kubelets.fates.insert(0, lambda pod: fate if role_of(pod) == role else None)
    run = await sim.operator()
    with_canaries(sim)
    await sim.until(lambda: "failed to load" in sim.condition("Ready").get("message", ""))
    await sim.quiet()

    text = shown(sim, run, log)

    assert CANARY not in text
    assert "[redacted]" in text


async def test_row_47_what_a_model_answers_is_shown_without_the_token(
    sim: Simulation, log: pytest.LogCaptureFixture
) -> None:
    def answer(_: Asked) -> Inference:
        return Inference("refused", f"INTERNAL: {CANARY}")

    sim.script = answer
    run = await sim.operator()
    with_canaries(sim)
    await sim.until(lambda: sim.said("Ready") == ("False", "Loading"))
    await sim.quiet()

    assert CANARY not in shown(sim, run, log)
