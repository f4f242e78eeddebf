"""Rows 44 and 45: specs that no schema kept out, and text that means harm.

The one rule: a bad edit changes nothing but what is said; and of a text that is taken, every child shows the text and
nothing else that is new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.objects import BAD, HOSTILE, WHOLE, deep
from api.paths import Path, changed, leaves
from faults.points import picture, unlike
from inferfleet.api.base import PLURAL, Json
from inferfleet.api.parse import parse_spec
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.fleet import names
from inferfleet.fleet.revision import Shape, revision_hash
from inferfleet.plan.accept import cache_plan
from inferfleet.plan.desired import (
    Budget,
    Overlay,
    Owner,
    ServingPlan,
    WantedClaim,
    WantedDownload,
    WantedPolicies,
    WantedRecord,
    WantedSet,
)
from inferfleet.render import children
from inferfleet.render.download import download_job
from inferfleet.render.policies import policies
from inferfleet.render.record import NOTE, read_record, record
from support.makers import CONFIG, H100, REPOSITORY
from support.simulation import Simulation, definition, simulation


def without_schema() -> Json:
    """Write the CRD as one that checks nothing of a spec: an old one, or one that somebody edited."""
    found = json.loads(json.dumps(definition()))
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"] = {"x-kubernetes-preserve-unknown-fields": True}
    schema.pop("x-kubernetes-validations", None)
    return dict(found)


OTHERS: dict[str, Any] = {
    "nothing": None,
    "a list": [],
    "a text": "replicas: 2",
    "an empty spec": {},
    "two hundred levels": {"model": {"source": "hf://org/model"}, "template": deep(200)},
    "a product of no class": {"model": {"source": "hf://org/model"}, "gpu": {"products": ["TPU"]}},
    "a claim that is not there to share": {"model": {"source": "hf://o/m"}, "cache": {"type": "Pod", "claim": "c"}},
}


def can_be_stored(spec: Any) -> bool:
    """Tell whether the API server's JSON holds it: whole numbers have 64 bits there."""
    try:
        orjson.dumps(spec)
    except TypeError:
        return False
    return True


BAD_SPECS = OTHERS | {bad.title: bad.raw["spec"] for bad in BAD if bad.raw["metadata"]["name"] == "chat"}
BAD_SPECS = {title: spec for title, spec in BAD_SPECS.items() if can_be_stored(spec)}


async def test_row_44_whatever_a_spec_becomes_the_last_good_revision_keeps_serving_and_it_is_said() -> None:
    async with simulation(kind=without_schema()) as sim:
        await sim.operator()
        sim.apply(replicas=2)
        await sim.settled()
        good = sim.model()
        assert good is not None
        before = picture(sim)
        for title, bad in BAD_SPECS.items():
            replace_spec(sim, bad)
            await sim.passes(2.0)

            assert sim.said("Accepted") == ("False", "InvalidSpec"), title
            assert sim.condition("Accepted")["message"].startswith("spec"), title
            assert (sim.said("Ready")[0], sim.said("Stalled")[0]) == ("False", "True"), title
            assert sim.ready() == 2, title
            changes = [found for found in unlike(picture(sim), before) if not found.startswith("/said/")]
            assert changes == [], title
        assert len(BAD_SPECS) > 90

        replace_spec(sim, good["spec"])
        await sim.settled()
        assert unlike(picture(sim), before) == []


def replace_spec(sim: Simulation, spec: Any) -> None:
    """Write another spec in place of the one that is there, past every schema."""
    stored = sim.fake.api.storage.get(sim.fake.api.resource(PLURAL), ("default", "m"))
    assert stored is not None
    meta = stored.obj["metadata"]
    body = {**stored.obj, "spec": spec, "metadata": {**meta, "generation": meta["generation"] + 1}}
    sim.fake.api.storage.put(sim.fake.api.resource(PLURAL), json.loads(json.dumps(body)))


async def test_row_44_while_a_spec_is_refused_what_serves_is_healed_as_ever() -> None:
    async with simulation(kind=without_schema()) as sim:
        await sim.operator()
        sim.apply(replicas=2)
        await sim.settled()
        replace_spec(sim, {"model": {"source": "hf://org/other"}, "replicas": "many"})
        await sim.passes(2.0)

        sim.fake.delete("services", "default", "m")
        sim.fake.delete("pods", "default", sim.pods()[0]["metadata"]["name"])
        await sim.passes(10.0)

        assert sim.fake.get("services", "default", "m") is not None
        assert sim.ready() == 2
        assert sim.said("Available") == ("True", "ReplicasServe")
        assert sim.said("Accepted") == ("False", "InvalidSpec")


async def test_row_44_a_new_object_that_is_refused_gets_no_children_and_says_what_to_do() -> None:
    async with simulation(kind=without_schema()) as sim:
        await sim.operator()
        sim.apply(replicas="many")

        await sim.passes(30.0)

        assert not any(sim.children().values())
        assert sim.status()["observedGeneration"] == 1
        assert 'spec.replicas: found "many"' in sim.condition("Ready")["message"]
        assert [event["reason"] for event in sim.events()] == ["InvalidSpec"]


def rendered(spec: ModelDeploymentSpec) -> Json:
    """Render every child that a spec can have, by kind and purpose."""
    owner = Owner("ns", "m", "uid-m")
    cache, revision = cache_plan(spec, owner, CONFIG), revision_hash(spec)
    image = spec.engine.image or CONFIG.images.triton
    serving = ServingPlan(owner, spec, revision, Shape(H100.name, 1), H100.products, "m", image, REPOSITORY, cache)
    written = record(WantedRecord(serving, 1, "", "why"), CONFIG)
    recorded = read_record({**written, "metadata": {**written["metadata"], "uid": "uid-r"}})
    overlay = Overlay("serving", spec.rollout.drain_timeout_seconds, spec.limits.priority_class or "")
    secret = spec.model.secret_ref.name if spec.model.secret_ref else ""
    wanted = spec.model.revision or "main"
    download = WantedDownload(owner, revision, spec.model.source, wanted, secret, cache, 0)
    claim = WantedClaim(owner, names.claim_name("m"), spec.cache.size or "1Gi", "rwx", delete_with_model=True)
    return {
        "record": written,
        "set": children.replica_set(WantedSet(recorded, 1, overlay), owner),
        "maps": [*children.config_maps(recorded, owner)],
        "services": [children.service(owner), children.held_service(owner, revision)],
        "budget": children.budget(owner, Budget(0)),
        "policies": [*policies(WantedPolicies(owner, serving_egress=False, pod_downloads=True), CONFIG)],
        "download": download_job(download, CONFIG),
        "claim": children.claim(claim),
    }


def plain(value: Any, revision: str) -> Any:
    """Show what is rendered without the name of the revision, and with the note in it taken apart."""
    if isinstance(value, dict):
        return {
            key: plain(json.loads(child) if key == NOTE else child, revision) for key, child in sorted(value.items())
        }
    if isinstance(value, list):
        return [plain(child, revision) for child in value]
    return value.replace(revision, "REVISION") if isinstance(value, str) else value


def taken(path: Path, text: str) -> ModelDeploymentSpec | None:
    """Read the whole spec with another text at one place; None if it is refused."""
    found = parse_spec({"metadata": {"name": "m"}, "spec": changed(WHOLE, path, text)})
    return None if isinstance(found, tuple) else found


def news(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Give each leaf that differs; a different shape is given as a whole."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from news(one[key], other[key])
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, child in enumerate(one):
            yield from news(child, other[index])
    elif one != other:
        yield one, other


FREE = [path for path, value in leaves(WHOLE) if isinstance(value, str) and taken(path, "mark") is not None]
TEXTS = [path for path, value in leaves(WHOLE) if isinstance(value, str)]


def check_inert(path: Path, text: str) -> bool:
    """Assert that a text at one place is refused, or changes nothing but itself in any child."""
    with_text = taken(path, text)
    if with_text is None:
        return False
    with_mark = taken(path, "mark")
    assert with_mark is not None, f"{path} takes {text!r} and not a plain word"
    before = plain(rendered(with_mark), revision_hash(with_mark))
    after = plain(rendered(with_text), revision_hash(with_text))
    for plain_one, hostile in news(before, after):
        assert isinstance(plain_one, str), f"{path} took {text!r}: {hostile!r}"
        assert hostile == plain_one.replace("mark", text), f"{path} took {text!r}: {hostile!r}"
    return True


@pytest.mark.parametrize("harm", HOSTILE, ids=str)
def test_row_45_a_text_that_means_harm_is_refused_or_inert_in_every_child(harm: str) -> None:
    for path in TEXTS:
        check_inert(path, HOSTILE[harm])


def test_row_45_plain_words_are_taken_where_text_is_free_so_that_the_test_can_fail() -> None:
    assert {path[-1] for path in FREE} >= {"value", "source"} or len(FREE) > 5
    assert sum(check_inert(path, HOSTILE["a shell"]) for path in FREE) >= 2


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(FREE), text=st.text(max_size=200))
def test_row_45_any_text_at_all_is_refused_or_inert_in_every_child(path: Path, text: str) -> None:
    check_inert(path, text)


async def test_row_45_a_model_full_of_hostile_text_serves_and_its_pods_hold_it_unchanged(sim: Simulation) -> None:
    env = ("template", "server", "env", 0, "value")
    texts = [text for text in HOSTILE.values() if taken(env, text) is not None and len(text) < 4096]
    assert len(texts) > 10
    variables = [{"name": f"A{number}", "value": text} for number, text in enumerate(texts)]
    notes = {f"example.com/a{number}": text for number, text in enumerate(texts)}

    await sim.operator()
    sim.apply(template={"annotations": notes, "server": {"env": variables}})
    await sim.settled()

    pod = sim.pods()[0]
    server = pod["spec"]["containers"][0]
    assert [each for each in server["env"] if each["name"].startswith("A") and each["name"][1:].isdigit()] == variables
    assert notes.items() <= pod["metadata"]["annotations"].items()
    assert server["command"] == ["tritonserver"]
