"""Which parts of an object a write concerns; pure."""

from __future__ import annotations

from inferfleet.api.base import Json
from support.fake_kube.resources import Resource


def with_subresource(before: Json, after: Json, subresource: str) -> Json:
    """Take from a write to a subresource only what is its own, and the versions that guard it."""
    guards = chosen(after["metadata"], "uid", "managedFields")
    rest = {name: value for name, value in before.items() if name != subresource}
    meta = {name: value for name, value in before["metadata"].items() if name != "managedFields"}
    return {**rest, "metadata": {**meta, **guards}, **chosen(after, subresource)}


def chosen(obj: Json, *names: str) -> Json:
    return {name: obj[name] for name in names if name in obj}


def wanted_part(obj: Json, resource: Resource) -> Json:
    if resource.full:
        return {name: value for name, value in obj.items() if name not in ("metadata", "status")}
    return chosen(obj, "spec")


def grace_of(resource: Resource, obj: Json, options: Json) -> int:
    """Tell how long a pod may take: none when it runs nowhere."""
    if resource.plural != "pods" or not obj["spec"].get("nodeName"):
        return 0
    phase = (obj.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)


def has_empty_rules(resource: Resource, obj: Json) -> bool:
    """Tell whether a policy has an empty list, which the API server drops after it has taken it for a change."""
    return resource.plural == "networkpolicies" and any(obj["spec"].get(name) == [] for name in ("ingress", "egress"))
