"""The resources that the fake serves, and which of their lists are merged by what key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from inferfleet.api.base import Json

Value = Any
"""Whatever JSON can hold, at any depth."""
MergeKeys = tuple[str, ...]
ATOMIC: MergeKeys = ()
SET: MergeKeys = ("=",)


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource; `lists` holds merge keys by the tail of a field's path."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    has_status: bool = False
    has_generation: bool = False
    schema: Json | None = None
    lists: dict[MergeKeys, MergeKeys] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Name it as messages do."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def full(self) -> bool:
        """Tell whether objects of this resource are the user's own type."""
        return self.schema is not None

    def merge_keys(self, path: MergeKeys) -> MergeKeys:
        """Find how the list at a path is merged: by keys, as a set, or not at all."""
        for length in range(len(path), 0, -1):
            found = self.lists.get(path[-length:])
            if found is None and not self.full:
                found = _LISTS.get(path[-length:])
            if found is not None:
                return found
        return ATOMIC

    def _is_raw(self, path: MergeKeys) -> bool:
        return self.kind == "ControllerRevision" and path == ("data",)

    def is_atomic_map(self, path: MergeKeys) -> bool:
        """Tell whether the map at a path has one owner as a whole."""
        return not self.full and (path[-1] in _ATOMIC_MAPS or self._is_raw(path))


_LISTS: dict[MergeKeys, MergeKeys] = {
    ("metadata", "ownerReferences"): ("uid",),
    ("metadata", "finalizers"): SET,
    ("status", "conditions"): ("type",),
    ("containers",): ("name",),
    ("initContainers",): ("name",),
    ("containers", "ports"): ("containerPort", "protocol"),
    ("initContainers", "ports"): ("containerPort", "protocol"),
    ("env",): ("name",),
    ("volumeMounts",): ("mountPath",),
    ("volumes",): ("name",),
    ("imagePullSecrets",): ("name",),
    ("topologySpreadConstraints",): ("topologyKey", "whenUnsatisfiable"),
    ("spec", "ports"): ("port", "protocol"),
    ("loadBalancer", "ingress"): ATOMIC,
    ("containerStatuses",): ATOMIC,
}
_META_LISTS = {path: keys for path, keys in _LISTS.items() if path[0] == "metadata"}
_ATOMIC_MAPS = frozenset(
    {
        "selector", "nodeSelector", "labelSelector", "podSelector", "namespaceSelector", "secretKeyRef",
        "configMapKeyRef", "fieldRef", "resourceFieldRef", "secretRef", "configMapRef", "involvedObject",
        "requiredDuringSchedulingIgnoredDuringExecution",
    }
)  # fmt: skip

BUILT_IN = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False, has_status=True),
    Resource("", "v1", "nodes", "Node", namespaced=False, has_status=True),
    Resource("", "v1", "pods", "Pod", has_status=True, has_generation=True),
    Resource("", "v1", "services", "Service", has_status=True),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", has_status=True),
    Resource("", "v1", "resourcequotas", "ResourceQuota", has_status=True),
    Resource("", "v1", "events", "Event"),
    Resource("apps", "v1", "replicasets", "ReplicaSet", has_status=True, has_generation=True),
    Resource("apps", "v1", "controllerrevisions", "ControllerRevision"),
    Resource("batch", "v1", "jobs", "Job", has_status=True, has_generation=True),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", has_status=True, has_generation=True),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", has_generation=True),
    Resource("coordination.k8s.io", "v1", "leases", "Lease"),
    Resource(
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
        namespaced=False, has_status=True, has_generation=True,
    ),
)  # fmt: skip


def custom_resource(crd: Json) -> Resource:
    """Read the resource that a CustomResourceDefinition makes."""
    spec = crd["spec"]
    version = next(version for version in spec["versions"] if version["served"])
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {"x-kubernetes-preserve-unknown-fields": True}
    return Resource(
        spec["group"],
        version["name"],
        spec["names"]["plural"],
        spec["names"]["kind"],
        namespaced=spec["scope"] == "Namespaced",
        has_status="status" in (version.get("subresources") or {}),
        has_generation=True,
        schema=schema,
        lists={**_META_LISTS, **dict(_lists_of(schema, ()))},
    )


def _lists_of(schema: Json, path: MergeKeys) -> Iterator[tuple[MergeKeys, MergeKeys]]:
    """Find the lists of a schema that are merged, by their whole path."""
    if schema.get("x-kubernetes-list-type") == "map":
        yield path, tuple(schema["x-kubernetes-list-map-keys"])
    elif schema.get("x-kubernetes-list-type") == "set":
        yield path, SET
    for name, child in (schema.get("properties") or {}).items():
        yield from _lists_of(child, (*path, name))
    items, values = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        yield from _lists_of(items, path)
    if isinstance(values, dict):
        yield from _lists_of(values, (*path, "*"))
