"""A real API server says of every object what pydantic says; runs where a kubeconfig is given."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from api.judges import KUBECONFIG, by_pydantic
from api.objects import BAD, GOOD, HOSTILE, WHOLE, Bad, Good, deep, deployment
from api.paths import changed
from api.server import ApiServer, installed
from api.test_agreement import EVERYTHING, PLACES, TEXTS, dotted
from inferfleet.api.base import Json
from inferfleet.api.crd import crd

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with installed(KUBECONFIG) as found:
        yield found


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.title)
def test_it_accepts_a_good_object(good: Good, server: ApiServer) -> None:
    assert server.judge(good.raw) == ()


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.title)
def test_it_refuses_a_bad_object_with_the_words_of_its_rule(bad: Bad, server: ApiServer) -> None:
    said = server.judge(bad.raw)

    assert said
    assert bad.layer == "schema" or bad.says in said[0]


@pytest.mark.parametrize("harm", HOSTILE, ids=str)
def test_it_takes_a_text_that_means_harm_where_pydantic_does_and_nowhere_else(harm: str, server: ApiServer) -> None:
    for path in TEXTS:
        raw = {**EVERYTHING, "spec": changed(WHOLE, path, HOSTILE[harm])}
        assert bool(server.judge(raw)) == bool(by_pydantic(raw)), dotted(path)


# Not 2.0: kubectl writes it as 2, and what a bare 2.0 means to the API server differs from field to field.
@pytest.mark.parametrize(
    "value", [-7, 1.5, True, "text", [], {}, None, deep(50)], ids=lambda value: json.dumps(value)[:9]
)
def test_it_reads_a_value_of_any_type_as_pydantic_does(value: object, server: ApiServer) -> None:
    for path in PLACES:
        raw = {**EVERYTHING, "spec": changed(WHOLE, path, value)}
        assert bool(server.judge(raw)) == bool(by_pydantic(raw)), f"{dotted(path)}: {server.judge(raw)}"


def test_it_sets_no_default_in_a_spec_and_a_first_status_that_tools_wait_for(server: ApiServer) -> None:
    stored = server.created(deployment())

    assert stored["spec"] == deployment()["spec"]
    assert stored["status"] == {"observedGeneration": -1}
    assert "finalizers" not in stored["metadata"]


def test_it_serves_status_scale_and_selectable_fields(server: ApiServer) -> None:
    _, found = server.ask("GET", f"/apis/{server.group}/v1alpha1")
    assert {resource["name"] for resource in found["resources"]} == {
        "modeldeployments",
        "modeldeployments/scale",
        "modeldeployments/status",
    }

    selector = "spec.model.source=hf://a/b,spec.engine.type=triton"
    status, _ = server.ask("GET", f"/apis/{server.group}/v1alpha1/modeldeployments?fieldSelector={selector}")
    assert status == 200


def test_it_takes_the_crd_as_it_is(server: ApiServer) -> None:
    found: Json = crd()
    name = found["metadata"]["name"]
    existing, _ = server.ask("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    expected = 409 if existing == 200 else 201

    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All&fieldValidation=Strict"
    assert server.ask("POST", path, found)[0] == expected
