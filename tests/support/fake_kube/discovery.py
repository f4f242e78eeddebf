"""What an API server says about itself."""

from __future__ import annotations

from inferfleet.api.base import Json
from support.fake_kube.resources import Resource

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def discover(path: str, resources: list[Resource]) -> Json | str | None:
    """Answer a discovery or health path; None: there is no such path."""
    parts = path.strip("/").split("/")
    groups = sorted({resource.group for resource in resources if resource.group})
    match parts:
        case ["healthz" | "livez" | "readyz"]:
            return "ok"
        case ["version"]:
            return {"major": "1", "minor": "36", "gitVersion": "v1.36.0-fake"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name, resources) for name in groups]}
        case ["apis", name] if name in groups:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, resources)}
        case ["api", "v1"]:
            return _resource_list("v1", [found for found in resources if not found.group])
        case ["apis", name, version]:
            found = [found for found in resources if (found.group, found.version) == (name, version)]
            return _resource_list(f"{name}/{version}", found) if found else None
    return None


def _group(name: str, resources: list[Resource]) -> Json:
    versions = sorted({resource.version for resource in resources if resource.group == name})
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[-1]}


def _resource_list(group_version: str, resources: list[Resource]) -> Json:
    listed: list[Json] = []
    for found in resources:
        entry = {"singularName": found.kind.lower(), "namespaced": found.namespaced, "kind": found.kind}
        listed.append({"name": found.plural, "verbs": _VERBS, **entry})
        if found.has_status:
            listed.append({"name": f"{found.plural}/status", "verbs": ["get", "patch", "update"], **entry})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}
