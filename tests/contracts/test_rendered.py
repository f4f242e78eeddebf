"""What we render comes back as `differs` expects it: applied once, it is never applied again."""

from __future__ import annotations

import pytest

from inferfleet.api.base import Json
from inferfleet.kube.compare import differs
from inferfleet.kube.kinds import kind_of
from support.fake_kube.manifests import LABELS, claim, config_map, job, pod_template, replica_set
from support.fake_kube.under_test import Server, eventually


def rich_template() -> Json:
    template = pod_template(
        terminationGracePeriodSeconds=600,
        automountServiceAccountToken=False,
        securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        nodeSelector={"no-such": "node"},
        volumes=[
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1024Mi"}},
            {"name": "work", "emptyDir": {}},
            {"name": "config", "configMap": {"name": "config"}},
        ],
        topologySpreadConstraints=[
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
        ],
    )
    field = {"fieldRef": {"fieldPath": "metadata.uid"}}
    template["spec"]["containers"][0] |= {
        "args": ["--x=1", ""],
        "env": [{"name": "UID", "valueFrom": field}, {"name": "EMPTY", "value": ""}, {"name": "A", "value": "1"}],
        "ports": [{"name": "http", "containerPort": 8000}, {"name": "grpc", "containerPort": 8001, "protocol": "TCP"}],
        "resources": {
            "limits": {"nvidia.com/gpu": "1", "memory": "2048Mi"},
            "requests": {"cpu": "0.5", "memory": "2048Mi", "ephemeral-storage": "1000M"},
        },
        "volumeMounts": [
            {"name": "shm", "mountPath": "/shm"},
            {"name": "config", "mountPath": "/c", "readOnly": True},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return template


def service() -> Json:
    ports = [{"name": "http", "port": 8000, "targetPort": "http"}, {"name": "grpc", "port": 8001}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "one"},
        "spec": {"selector": LABELS, "ports": ports},
    }


def policy() -> Json:
    spec = {
        "podSelector": {"matchLabels": LABELS},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": 8000}], "from": [{"podSelector": {}}]}],
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "one"}, "spec": spec}


def budget() -> Json:
    spec = {
        "maxUnavailable": "10%",
        "selector": {"matchLabels": LABELS},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "one"}, "spec": spec}


def revision() -> Json:
    data = {"template": rich_template(), "empty": {}, "number": 1}
    body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "one"}}
    return {**body, "revision": 3, "data": data}


RENDERED = {
    "ReplicaSet": lambda: replica_set("one", 0, template=rich_template()),
    "Job": lambda: job("one", backoffLimit=0, suspend=True),
    "Service": service,
    "ConfigMap": lambda: config_map("one", {"a": "", "b.pbtxt": "x"}),
    "PersistentVolumeClaim": lambda: claim("one", size="1024Mi"),
    "NetworkPolicy": policy,
    "PodDisruptionBudget": budget,
    "ControllerRevision": revision,
}


@pytest.mark.parametrize("name", RENDERED)
async def test_what_was_applied_shows_no_difference(server: Server, name: str) -> None:
    manifest = RENDERED[name]()
    manifest["metadata"] |= {"namespace": server.namespace, "labels": {"x": "y"}, "annotations": {}}

    async def versions_of_two_applies() -> list[str]:
        return [(await server.client.apply(manifest))["metadata"]["resourceVersion"] for _ in range(2)]

    applied = await server.client.apply(manifest)

    assert differs(manifest, applied) == []
    assert kind_of(applied) == kind_of(manifest)
    # A controller may write a status between the two, once.
    first, second = await eventually(versions_of_two_applies, lambda found: found[0] == found[1])
    assert first == second


async def test_an_empty_list_in_a_network_policy_is_a_change_at_every_apply(server: Server) -> None:
    """Never render one: leave the field out, which means the same."""
    manifest = policy()
    manifest["metadata"]["namespace"] = server.namespace
    manifest["spec"]["egress"] = []

    generations = [(await server.client.apply(manifest))["metadata"]["generation"] for _ in range(3)]

    assert generations == [1, 2, 3]
