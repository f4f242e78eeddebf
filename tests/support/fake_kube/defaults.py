"""What the API server fills in or rewrites: defaults, canonical quantities, schemas of custom resources.

The one rule: only what a test could see and take for a difference.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from inferfleet.api.base import Json
from support.fake_kube.resources import Resource, Value

_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = ("", "k", "M", "G", "T", "P", "E")


def fill_in(resource: Resource, obj: Json) -> None:
    """Complete an object that is about to be stored, in place."""
    if resource.schema is not None:
        _prune(obj, resource.schema, top=True)
        _default(obj, resource.schema)
        return
    _drop_empty(obj["metadata"])
    complete = _BY_PLURAL.get(resource.plural)
    if complete is not None and "spec" in obj:
        complete(obj, obj["spec"])


def canonical(amounts: Json | None) -> None:
    """Rewrite quantities as the API server does, in place."""
    for name, value in (amounts or {}).items():
        amounts[name] = quantity(value)  # type: ignore[index]  # - no amounts, no loop


def quantity(value: Value) -> str:
    """Write a quantity in its canonical form."""
    amount: Decimal = parse_quantity(value)  # type: ignore[no-untyped-call]  # - not typed there
    binary = isinstance(value, str) and value.endswith("i")
    base, units = (1024, _BINARY) if binary and amount >= 1024 else (1000, _DECIMAL)
    if amount != amount.to_integral_value():
        return f"{int(amount * 1000)}m"
    whole, unit = int(amount), 0
    while whole and whole % base == 0 and unit + 1 < len(units):
        whole, unit = whole // base, unit + 1
    return f"{whole}{units[unit]}"


def _drop_empty(meta: Json) -> None:
    for name in ("labels", "annotations", "ownerReferences", "finalizers"):
        if name in meta and not meta[name]:
            del meta[name]


def _pod_spec(spec: Json) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        container.setdefault("imagePullPolicy", _pull_policy(container.get("image", "")))
        container.setdefault("resources", {})
        _container(container)
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            volume["configMap"].setdefault("defaultMode", 420)
        if volume.get("emptyDir", {}).get("sizeLimit"):
            volume["emptyDir"]["sizeLimit"] = quantity(volume["emptyDir"]["sizeLimit"])


def _container(container: Json) -> None:
    for variable in container.get("env", []):
        if variable.get("value") == "":
            del variable["value"]
    for port in container.get("ports", []):
        port.setdefault("protocol", "TCP")
    for amounts in container["resources"].values():
        canonical(amounts)
    limits, requests = container["resources"].get("limits"), container["resources"].get("requests", {})
    if limits:
        container["resources"]["requests"] = {**limits, **requests}


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "IfNotPresent" if "@" in image or tag not in ("", "latest") else "Always"


def _replica_set(_obj: Json, spec: Json) -> None:
    spec.setdefault("replicas", 1)
    _pod_spec(spec.get("template", {}).get("spec", {}))


def _pod(obj: Json, spec: Json) -> None:
    _pod_spec(spec)
    spec.setdefault("serviceAccountName", "default")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _claim(obj: Json, spec: Json) -> None:
    spec.setdefault("volumeMode", "Filesystem")
    canonical(spec.get("resources", {}).get("requests"))
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _network_policy(_obj: Json, spec: Json) -> None:
    for name in ("ingress", "egress"):
        if spec.get(name) == []:
            del spec[name]


def _job(obj: Json, spec: Json) -> None:
    uid = obj["metadata"]["uid"]
    for name, value in (("backoffLimit", 6), ("completions", 1), ("parallelism", 1), ("completionMode", "NonIndexed")):
        spec.setdefault(name, value)
    spec.setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    for prefix in ("", "batch.kubernetes.io/"):
        labels.setdefault(f"{prefix}controller-uid", uid)
        labels.setdefault(f"{prefix}job-name", obj["metadata"]["name"])
    _pod_spec(spec["template"]["spec"])


def _service(obj: Json, spec: Json) -> None:
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault(
        "clusterIP", f"10.96.{int(obj['metadata']['uid'][-4:-2], 16)}.{int(obj['metadata']['uid'][-2:], 16)}"
    )
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])


_BY_PLURAL: dict[str, Callable[[Json, Json], None]] = {
    "replicasets": _replica_set,
    "pods": _pod,
    "jobs": _job,
    "services": _service,
    "persistentvolumeclaims": _claim,
    "networkpolicies": _network_policy,
}


def _prune(value: Value, schema: Json, *, top: bool = False) -> None:
    """Drop the fields that a structural schema does not name."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for element in value:
            _prune(element, schema.get("items", {}))
    elif isinstance(value, dict):
        _prune_map(value, schema, ("apiVersion", "kind", "metadata") if top else ())


def _prune_map(value: Json, schema: Json, kept: tuple[str, ...]) -> None:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name in [name for name in value if name not in kept]:
        child = known.get(name, others)
        if isinstance(child, dict):
            _prune(value[name], child)
        else:
            del value[name]


def _default(value: Value, schema: Json) -> None:
    """Set the defaults of a structural schema where their parent is there."""
    if isinstance(value, list):
        for element in value:
            _default(element, schema.get("items", {}))
    elif isinstance(value, dict):
        for name, child in schema.get("properties", {}).items():
            if name not in value and "default" in child:
                value[name] = child["default"]
            if name in value:
                _default(value[name], child)
