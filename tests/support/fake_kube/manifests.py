"""Small manifests that tests of the API server start from."""

from __future__ import annotations

from inferfleet.api.base import Json

LABELS = {"app": "contract"}


def config_map(name: str, data: dict[str, str] | None = None, namespace: str = "default", **meta: object) -> Json:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **meta}}
    return body if data is None else {**body, "data": data}


def pod_template(**spec: object) -> Json:
    container = {"name": "server", "image": "registry.invalid/server:1", "env": [{"name": "A", "value": "1"}]}
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [container], **spec}}


def replica_set(name: str, replicas: int = 1, namespace: str = "default", template: Json | None = None) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template or pod_template()},
    }


def job(name: str, namespace: str = "default", **spec: object) -> Json:
    template = pod_template(restartPolicy="Never")
    template["metadata"] = {}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": namespace}}
    return {**body, "spec": {"template": template, **spec}}


def pod(name: str, namespace: str = "default", node: str | None = None, **meta: object) -> Json:
    template = pod_template(**({"nodeName": node} if node else {"nodeSelector": {"no-such": "node"}}))
    meta = {"name": name, "namespace": namespace, "labels": LABELS, **meta}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def claim(name: str, namespace: str = "default", size: str = "1Gi") -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": size}}}
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def owned_by(owner: Json, *, controller: bool = True) -> list[Json]:
    meta = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return [{**reference, "controller": controller, "blockOwnerDeletion": False}]


def thing_crd(group: str, plural: str = "things") -> Json:
    """Make a type of our own with a status, a list by key, and a field that has bounds."""
    condition = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
    }
    status = {
        "type": "object",
        "default": {"observedGeneration": -1},
        "properties": {
            "observedGeneration": {"type": "integer"},
            "plan": {"type": "object", "properties": {"image": {"type": "string"}, "gpus": {"type": "integer"}}},
            "conditions": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": condition,
            },
        },
    }
    spec = {"type": "object", "properties": {"size": {"type": "integer", "maximum": 10}, "names": _strings()}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": plural, "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _strings() -> Json:
    return {"type": "array", "items": {"type": "string"}}
