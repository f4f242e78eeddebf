"""The download Job."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.api.config import FleetConfig
from inferfleet.plan.desired import CachePlan, WantedDownload
from inferfleet.render.download import download_job
from render.specs import patiently
from render.values import CONFIG, OWNER, check_golden, check_mounts, check_restricted, check_schema, config

SHARED = CachePlan("PVC", claim="smollm2.weights", ours=True)


def wanted(
    source: str = "hf://org/models", secret: str = "", cache: CachePlan = SHARED, resolve_only: bool = False
) -> WantedDownload:
    revision = "" if source.startswith("pvc://") else "main"
    return WantedDownload(OWNER, "3f2a9c1b", source, revision, secret, cache, 2, resolve_only)


def test_weights_go_to_a_shared_claim() -> None:
    check_golden("job-shared-claim", download_job(wanted(secret="hub"), CONFIG))


def test_a_commit_is_resolved_for_pods_that_download_for_themselves() -> None:
    job = download_job(wanted(cache=CachePlan("Pod"), resolve_only=True), CONFIG)

    [step] = job["spec"]["template"]["spec"]["containers"]
    assert step["args"] == [
        "fetch", "--source=hf://org/models", "--revision=main", "--endpoint=https://huggingface.co", "--resolve-only",
        "--ca-file=/ca/ca.crt", "--connections=4", "--port=8080",
    ]  # fmt: skip
    assert [volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]] == ["tmp"]


def test_a_claim_is_looked_at_whole_and_read_only() -> None:
    job = download_job(wanted("pvc://models/team", cache=CachePlan("Source", claim="models")), CONFIG)

    pod = job["spec"]["template"]
    [step] = pod["spec"]["containers"]
    assert step["args"] == ["fetch", "--source=pvc://models/team", "--claim=/claim", "--port=8080"]
    assert {"name": "weights", "mountPath": "/claim", "readOnly": True} in step["volumeMounts"]
    assert {
        "name": "weights",
        "persistentVolumeClaim": {"claimName": "models", "readOnly": True},
    } in pod["spec"]["volumes"]
    assert pod["metadata"]["labels"]["inferfleet.dev/source"] == "claim"
    assert "fsGroup" not in pod["spec"]["securityContext"]


def test_an_attempt_is_never_repeated_by_kubernetes_and_never_swept_away() -> None:
    job = download_job(wanted(secret="hub"), CONFIG)

    assert job["metadata"]["name"] == "smollm2-3f2a9c1b-fetch-2"
    notes = job["metadata"]["annotations"]
    assert (notes["inferfleet.dev/attempt"], notes["inferfleet.dev/secret"]) == ("2", "hub")
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert "ttlSecondsAfterFinished" not in job["spec"]


CHANGES: list[dict[str, object]] = [
    {"images": {"operator": "registry.example/inferfleet:2.0", "triton": "t"}},
    {"images": {"operator": "registry.example/inferfleet:1.0", "triton": "t", "pullSecrets": [{"name": "pull"}]}},
    {"fetch": {"env": {"HTTPS_PROXY": "http://p:3128"}}},
    {"fetch": {"hubEndpoint": "https://mirror.example"}},
    {"runAsUser": 20002},
]


@pytest.mark.parametrize("changed", CHANGES, ids=str)
def test_a_job_notes_which_values_of_the_chart_it_was_made_with_and_not_what_it_downloads(
    changed: dict[str, object],
) -> None:
    def noted(asked: WantedDownload, values: FleetConfig = CONFIG) -> str:
        return str(download_job(asked, values)["metadata"]["annotations"]["inferfleet.dev/template"])

    assert noted(wanted(), config(**changed)) != noted(wanted())
    assert noted(wanted("hf://org/other", "hub")) == noted(wanted())
    assert noted(wanted(), config(classes=[])) == noted(wanted())


@pytest.mark.parametrize("name", ["HOME", "HF_TOKEN"])
def test_the_charts_environment_cannot_replace_ours(name: str) -> None:
    job = download_job(wanted(secret="hub"), config(fetch={"env": {name: "x", "HTTPS_PROXY": "http://p:3128"}}))

    [step] = job["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in step["env"]] == ["HOME", "HTTPS_PROXY", "HF_TOKEN"]
    assert {"name": name, "value": "x"} not in step["env"]


@patiently
@given(
    source=st.sampled_from(["hf://org/models", "hf://org/models/a/b", "pvc://claim", "pvc://claim/a"]),
    secret=st.sampled_from(["", "hub"]),
    resolve=st.booleans(),
    user=st.sampled_from([None, 10001]),
)
def test_every_download_is_restricted_whole_and_valid(
    source: str, secret: str, resolve: bool, user: int | None
) -> None:
    job = download_job(wanted(source, secret, resolve_only=resolve), config(runAsUser=user))

    check_schema(job)
    check_restricted(job["spec"]["template"])
    check_mounts(job["spec"]["template"])
