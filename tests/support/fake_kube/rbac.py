"""Who may do what; pure.

The one rule: a user without rules may do everything, one with rules only what they allow; a denial beats both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from support.fake_kube.asked import Asked
from support.fake_kube.errors import ApiError


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on resources (`pods`, `pods/status`), everywhere or in some namespaces, on all objects or on some."""

    verbs: Sequence[str]
    resources: Sequence[str]
    groups: Sequence[str] = ("*",)
    namespaces: Sequence[str] | None = None
    names: Sequence[str] | None = None

    def covers(self, verb: str, asked: Asked) -> bool:
        assert asked.resource is not None
        return (
            _in(verb, self.verbs)
            and _in(asked.full_resource, self.resources)
            and _in(asked.resource.group, self.groups)
            and (self.namespaces is None or asked.namespace in self.namespaces)
            and (self.names is None or asked.name in self.names)
        )


def refusal(user: str, verb: str, asked: Asked) -> ApiError:
    """Say what a user may not do."""
    assert asked.resource is not None
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    qualified = asked.resource.qualified
    named = f'{qualified} "{asked.name}"' if asked.name else qualified
    message = (
        f'{named} is forbidden: User "{user}" cannot {verb} resource "{asked.full_resource}" '
        f'in API group "{asked.resource.group}" {where}'
    )
    return ApiError(403, "Forbidden", message, {"kind": qualified} | ({"name": asked.name} if asked.name else {}))


def _in(value: str, allowed: Sequence[str]) -> bool:
    return "*" in allowed or value in allowed
