"""What a request asks for, read from its method, path and query; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from support.fake_kube.errors import ApiError, no_such_resource
from support.fake_kube.resources import Resource

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_WRITES = frozenset(_VERBS.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    verb: str
    resource: Resource | None
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    body: Any = None

    @property
    def full_resource(self) -> str:
        plural = self.resource.plural if self.resource else ""
        return f"{plural}/{self.subresource}" if self.subresource else plural

    @property
    def writes(self) -> bool:
        return self.verb in _WRITES


def split_path(path: str) -> tuple[tuple[str, str, str], str, str, str] | None:
    """Split a path into (group, version, plural), namespace, name and subresource; None: no resource's path."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api":
        parts = ["", *parts[1:]]
    elif parts[0] == "apis":
        parts = parts[1:]
    else:
        return None
    if len(parts) < 3:
        return None
    group, version, *rest = parts
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    rest += [""] * (3 - len(rest))
    return (group, version, rest[0]), namespace, rest[1], rest[2]


def verb_of(method: str, name: str, query: Mapping[str, str]) -> str:
    """Name what is done as rules and logs do."""
    if method != "GET":
        return _VERBS.get(method, method.lower())
    if query.get("watch") in ("1", "true"):
        return "watch"
    return "get" if name else "list"


def only_known(resource: Resource, subresource: str) -> ApiError | None:
    """Refuse a subresource that does not exist."""
    if not subresource or (subresource == "status" and resource.has_status):
        return None
    return no_such_resource()
