"""A real API server takes every object of the chart, and its pods where `restricted` is enforced."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from api.judges import KUBECONFIG
from api.server import ApiServer, installed
from ecosystem.chart import CASES, render, the_only
from inferfleet.api.base import Json

pytestmark = [pytest.mark.contract, pytest.mark.ecosystem]
PLURALS = {"NetworkPolicy": "networkpolicies"}
CREATED, THERE = 201, 409


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with installed(KUBECONFIG) as found:
        yield found


@pytest.fixture(scope="module")
def namespace(server: ApiServer) -> Iterator[str]:
    with server.namespace(enforce="restricted") as name:
        yield name


def dry_run(server: ApiServer, raw: Json) -> tuple[int, Json]:
    """Create an object without storing it."""
    version, kind = raw["apiVersion"], raw["kind"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    where = f"/namespaces/{raw['metadata']['namespace']}" if "namespace" in raw["metadata"] else ""
    plural = PLURALS.get(kind, f"{kind.lower()}s")
    return server.ask("POST", f"{root}{where}/{plural}?dryRun=All&fieldValidation=Strict", raw)


@pytest.mark.parametrize("case", CASES)
def test_every_object_is_taken_as_it_is(case: str, server: ApiServer, namespace: str) -> None:
    changes = {
        "namespaceOverride": namespace,
        "watchNamespaces": [namespace] * bool(CASES[case].get("watchNamespaces")),
    }

    for raw in render({**CASES[case], **changes}):
        status, answer = dry_run(server, raw)
        assert status in (CREATED, THERE), answer


@pytest.mark.parametrize("case", CASES)
def test_its_pod_is_let_in_where_restricted_is_enforced(case: str, server: ApiServer, namespace: str) -> None:
    template = the_only(render(CASES[case]), "Deployment")["spec"]["template"]

    status, answer = until_accounts_are_there(server, pod(template["spec"], namespace))

    assert status == CREATED, answer


def test_another_pod_is_not_let_in_there(server: ApiServer, namespace: str) -> None:
    spec = the_only(render({}), "Deployment")["spec"]["template"]["spec"]

    status, answer = until_accounts_are_there(server, pod({**spec, "hostNetwork": True}, namespace))

    assert status == 403
    assert "restricted" in answer["message"]


def pod(spec: Json, namespace: str) -> Json:
    """Write a pod of the default account, without the priority class that a fresh cluster may lack."""
    kept = {key: value for key, value in spec.items() if key not in ("serviceAccountName", "priorityClassName")}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": namespace}, "spec": kept}


def until_accounts_are_there(server: ApiServer, raw: Json) -> tuple[int, Json]:
    """Try again while the namespace's account is still being made."""
    end = time.monotonic() + 10
    while True:
        status, answer = dry_run(server, raw)
        if "serviceaccount" not in str(answer.get("message", "")) or time.monotonic() > end:
            return status, answer
        time.sleep(0.2)
