"""Levers on rights: take one verb on one resource away from a role, and give it back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from e2e.rig.api import Api, Json
from e2e.rig.errors import RigError
from e2e.rig.settings import STATE

_KEPT = STATE / "revoked"


@dataclass(frozen=True, slots=True)
class Revoked:
    """A right that was taken away: `restore()` gives it back, and so does the end of a `with` block."""

    api: Api
    path: str
    rules: list[Json]
    kept: Path

    def restore(self) -> None:
        """Give the role the rules that it had."""
        self.api.merge(self.path, {"rules": self.rules})
        self.kept.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()


@dataclass(frozen=True, slots=True)
class RbacLevers:
    """Revoke and restore rights. An empty namespace means a ClusterRole."""

    api: Api

    def revoke(self, role: str, resource: str, verb: str, namespace: str = "") -> Revoked:
        """Take a verb on a resource (`pods`, `modeldeployments/status`) out of a role."""
        path = _path(role, namespace)
        kept = _KEPT / f"{namespace or 'cluster'}-{role.replace(':', '-')}.json"
        rules: list[Json] = self.api.get(path).get("rules") or []
        fewer = without(rules, resource, verb)
        if fewer == rules:
            raise RigError(f"{path} does not grant {verb} on {resource}.")
        if not kept.exists():  # a second revocation must not hide what the role had at first
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(rules))
        self.api.merge(path, {"rules": fewer})
        return Revoked(self.api, path, rules, kept)

    def restore(self, role: str, namespace: str = "") -> None:
        """Give a role back everything that was revoked from it."""
        path = _path(role, namespace)
        kept = _KEPT / f"{namespace or 'cluster'}-{role.replace(':', '-')}.json"
        if not kept.exists():
            raise RigError(f"Nothing was revoked from {path}.")
        Revoked(self.api, path, json.loads(kept.read_text()), kept).restore()


def without(rules: list[Json], resource: str, verb: str) -> list[Json]:
    """Return rules that grant the same, less one verb on one resource. A wildcard cannot be taken apart."""
    found: list[Json] = []
    for rule in rules:
        if resource not in rule.get("resources", []) or verb not in rule["verbs"]:
            found.append(rule)
            continue
        others = [name for name in rule["resources"] if name != resource]
        verbs = [name for name in rule["verbs"] if name != verb]
        if others:
            found.append({**rule, "resources": others})
        if verbs:
            found.append({**rule, "resources": [resource], "verbs": verbs})
    return found


def _path(role: str, namespace: str) -> str:
    base = "/apis/rbac.authorization.k8s.io/v1"
    return f"{base}/namespaces/{namespace}/roles/{role}" if namespace else f"{base}/clusterroles/{role}"
