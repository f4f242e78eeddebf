"""The pod template: a Triton repository of links in a locked pod."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.api.base import Json
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.engines.triton import TRITON
from inferfleet.fleet.names import source_directory
from inferfleet.plan.desired import CachePlan
from inferfleet.render.template import config_maps, pod_template, template_digest
from render.specs import patiently, specs
from render.values import (
    COMMIT,
    CONFIG,
    check_golden,
    check_mounts,
    check_restricted,
    check_schema,
    config,
    container,
    model,
    repository,
    serving,
    spec,
)

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def as_pod(template: Json) -> Json:
    metadata = {"name": "pod", "namespace": "team-a"} | template["metadata"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def test_weights_on_a_shared_claim() -> None:
    check_golden("pod-shared-claim", as_pod(pod_template(serving(), CONFIG)))


def test_weights_that_each_pod_downloads() -> None:
    wanted = spec(model={"source": "hf://org/models/folder", "secretRef": {"name": "hub"}})
    proxied = config(fetch={"env": {"HTTPS_PROXY": "http://proxy.example:3128"}})
    check_golden("pod-own-download", as_pod(pod_template(serving(wanted, CachePlan("Pod")), proxied)))


def test_weights_served_in_place_on_cpus_with_a_generated_configuration() -> None:
    wanted = spec(model={"source": "pvc://models/team"}, gpu={"count": 0})
    found = repository(model(config=None, files=("model.onnx",)))
    check_golden("pod-in-place", as_pod(pod_template(serving(wanted, CachePlan("Source", "models"), found, 0), CONFIG)))


def test_a_template_is_laid_over_what_we_render() -> None:
    wanted = spec(
        template={
            "labels": {"example.com/team": "a"},
            "annotations": {"example.com/note": "n"},
            "nodeSelector": {"example.com/pool": "gpu"},
            "tolerations": [{"key": "nvidia.example/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "example.com/zone", "whenUnsatisfiable": "ScheduleAnyway"}
            ],
            "imagePullSecrets": [{"name": "ours"}],
            "runtimeClassName": "nvidia",
            "schedulerName": "other",
            "volumes": [
                {"name": "data", "csi": {"driver": "csi.example.com"}},
                {"name": "scratch", "emptyDir": {}},
            ],
            "server": {
                "env": [{"name": "A", "value": "b"}, {"name": "USER", "value": "me"}],
                "envFrom": [{"configMapRef": {"name": "more"}, "prefix": "X_"}],
                "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
                "resources": {"requests": {"cpu": 4}, "limits": {"memory": "64Gi", "rdma/hca": 1}},
            },
        }
    )
    check_golden("pod-with-template", as_pod(pod_template(serving(wanted), config(images=IMAGES))))


IMAGES = CONFIG.images.model_dump(mode="json", by_alias=True) | {"pullSecrets": [{"name": "ours"}]}


@patiently
@given(drawn=specs(), gpus=st.integers(0, 8), user=st.sampled_from([None, 10001]), bare=st.booleans())
def test_every_pod_is_restricted_whole_and_valid(
    drawn: tuple[ModelDeploymentSpec, CachePlan], gpus: int, user: int | None, bare: bool
) -> None:
    found = repository(model(config=None, files=("model.plan",))) if bare else None
    template = pod_template(serving(*drawn, found, gpus), config(runAsUser=user))

    check_restricted(template)
    check_mounts(template)
    check_schema(as_pod(template))
    environment = [variable["name"] for variable in container(template, "server")["env"]]
    assert len(environment) == len(set(environment))
    limits = container(template, "server")["resources"].get("limits", {})
    assert limits.get("nvidia.com/gpu") == (str(gpus) if gpus else None)


@patiently
@given(drawn=specs())
def test_whatever_the_template_asks_the_node_is_of_the_class(drawn: tuple[ModelDeploymentSpec, CachePlan]) -> None:
    wanted, cache = drawn
    template = pod_template(serving(wanted, cache), CONFIG)

    terms = template["spec"]["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    ours = {
        "key": "nvidia.com/gpu.product",
        "operator": "In",
        "values": ["NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe"],
    }
    assert terms
    assert all(ours in term["matchExpressions"] for term in terms if term.get("matchExpressions"))


@patiently
@given(drawn=specs())
def test_the_same_plan_gives_the_same_template(drawn: tuple[ModelDeploymentSpec, CachePlan]) -> None:
    first, again = pod_template(serving(*drawn), CONFIG), pod_template(serving(*drawn), CONFIG)

    assert template_digest(first) == template_digest(again)


def test_a_newer_image_gives_another_digest() -> None:
    newer = config(images=IMAGES | {"operator": "registry.example/inferfleet:2.0"})

    assert template_digest(pod_template(serving(), CONFIG)) != template_digest(pod_template(serving(), newer))


def test_server_and_link_see_the_weights_at_one_path_read_only() -> None:
    template = pod_template(serving(), CONFIG)

    for name in ("link", "server"):
        [mount] = [each for each in container(template, name)["volumeMounts"] if each["name"] == "weights"]
        assert mount == {
            "name": "weights",
            "mountPath": "/weights",
            "readOnly": True,
            "subPath": source_directory("hf://org/models"),
        }


def test_a_source_claim_is_mounted_whole_because_links_point_into_it() -> None:
    wanted = spec(model={"source": "pvc://models/team"})
    template = pod_template(serving(wanted, CachePlan("Source", "models")), CONFIG)

    [mount] = [each for each in container(template, "server")["volumeMounts"] if each["name"] == "weights"]
    assert "subPath" not in mount
    assert container(template, "link")["args"] == [
        "link", "--source=pvc://models/team", "--weights=/weights", "--target=/models",
    ]  # fmt: skip


def test_the_secret_reaches_the_download_and_never_the_server() -> None:
    wanted = spec(model={"source": "hf://org/models", "secretRef": {"name": "hub"}})
    template = pod_template(serving(wanted, CachePlan("Pod")), CONFIG)

    fetch, server = container(template, "fetch"), container(template, "server")
    assert {"name": "ca", "mountPath": "/ca", "readOnly": True} in fetch["volumeMounts"]
    assert any(variable["name"] == "HF_TOKEN" for variable in fetch["env"])
    assert "hub" not in str(server)
    assert "ca" not in [mount["name"] for mount in server["volumeMounts"]]


def test_an_own_download_asks_for_the_room_that_it_may_fill() -> None:
    template = pod_template(serving(cache=CachePlan("Pod"), found=repository(total_bytes=4 << 30)), CONFIG)

    [weights] = [volume for volume in template["spec"]["volumes"] if volume["name"] == "weights"]
    assert weights["emptyDir"] == {"sizeLimit": "6144Mi"}
    assert f"--size-limit={6144 << 20}" in container(template, "fetch")["args"]
    assert container(template, "server")["resources"]["requests"]["ephemeral-storage"] == "6144Mi"


def test_an_own_claim_belongs_to_the_pods_group() -> None:
    template = pod_template(serving(cache=CachePlan("Pod", size="10Gi")), CONFIG)

    assert template["spec"]["securityContext"]["fsGroup"] == 10001
    [weights] = [volume for volume in template["spec"]["volumes"] if volume["name"] == "weights"]
    assert weights["ephemeral"]["volumeClaimTemplate"]["spec"]["resources"] == {"requests": {"storage": "10Gi"}}


@pytest.mark.parametrize(
    ("theirs", "requests", "limits"),
    [
        ({}, {"cpu": "400m", "memory": "3072Mi"}, {}),
        ({"requests": {"cpu": 8}}, {"cpu": "8", "memory": "3072Mi"}, {}),
        ({"limits": {"memory": "1Gi"}}, {"cpu": "400m"}, {"memory": "1Gi"}),
        (
            {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}},
            {"cpu": "400m", "memory": "1Gi"},
            {"memory": "2Gi"},
        ),
    ],
)
def test_what_a_template_only_limits_is_also_what_it_asks_for(
    theirs: dict[str, Any], requests: dict[str, str], limits: dict[str, str]
) -> None:
    template = pod_template(serving(spec(template={"server": {"resources": theirs}}), gpus=2), CONFIG)

    found = container(template, "server")["resources"]
    assert found == {"requests": requests, "limits": {"nvidia.com/gpu": "2"} | limits}


def test_weights_on_cpus_are_asked_for_as_memory() -> None:
    found = repository(total_bytes=10 << 30)

    resources = container(pod_template(serving(found=found, gpus=0), CONFIG), "server")["resources"]
    assert resources["requests"]["memory"] == f"{3072 + 12 * 1024}Mi"


def test_a_pod_on_cpus_sees_no_gpu_whatever_the_image_asks_for() -> None:
    environment = container(pod_template(serving(gpus=0), CONFIG), "server")["env"]

    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in environment


def test_the_models_options_go_before_the_charts() -> None:
    wanted = spec(engine={"options": {"log-verbose": "2"}})
    template = pod_template(serving(wanted), config(triton={"options": {"log-verbose": "1", "rate-limit": "off"}}))

    assert container(template, "server")["args"][len(TRITON.arguments) :] == ["--log-verbose=2", "--rate-limit=off"]


def test_nothing_is_generated_for_a_repository_that_has_its_configurations() -> None:
    assert config_maps(serving()) == {}


def test_the_steps_argv_names_the_commit() -> None:
    template = pod_template(serving(cache=CachePlan("Pod", size="1Gi")), CONFIG)

    assert container(template, "fetch")["args"] == [
        "fetch", "--source=hf://org/models", f"--revision={COMMIT}", "--endpoint=https://huggingface.co",
        "--cache=/cache", "--ca-file=/ca/ca.crt", "--connections=4",
    ]  # fmt: skip
    assert f"--commit={COMMIT}" in container(template, "link")["args"]
