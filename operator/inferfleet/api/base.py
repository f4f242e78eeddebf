"""What every model of this room shares: frozen, camelCase in YAML, unknown fields refused, strings bounded.

The one rule: a field has a description (it is the reference page), bounds and, if optional, a default that never
changes within a version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

GROUP = "inferfleet.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"

Json = dict[str, Any]
"""A decoded JSON object, as the API server sends it."""

DNS_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
DNS_SUBDOMAIN = rf"^{_SUBDOMAIN}$"
QUANTITY = r"^[0-9]+(\.[0-9]{1,3})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

DnsLabel = Annotated[str, StringConstraints(pattern=DNS_LABEL, min_length=1, max_length=63)]
DnsSubdomain = Annotated[str, StringConstraints(pattern=DNS_SUBDOMAIN, min_length=1, max_length=253)]
Quantity = Annotated[str, StringConstraints(pattern=QUANTITY, min_length=1, max_length=32)]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(pattern=TEXT, max_length=4096)]
LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=rf"^({_SUBDOMAIN}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{{0,61}}[A-Za-z0-9])?$",
        min_length=1,
        max_length=317,
    ),
]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$", max_length=63)]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32)]
Outage = Literal["Ask", "Allow"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over several fields, once for the API server and once for us, with one message.

    `cel` speaks of `self`, an object of the model that holds the rule; `holds` takes that model.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool]


class Frozen(BaseModel):
    """An immutable value whose YAML keys are camelCase and whose unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, strict=True)
    rules: ClassVar[tuple[Rule, ...]] = ()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Share it: pydantic copies each default anew for every object, and nobody changes one."""
        return self

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in type(self).rules:
            if not rule.holds(self):
                raise ValueError(rule.message)
        return self


def count_set(model: BaseModel, names: tuple[str, ...]) -> int:
    """Count which of these fields, named as in YAML, are set."""
    fields = type(model).model_fields
    return sum(getattr(model, name) is not None for name, field in fields.items() if field.alias in names)


def exactly_one(*names: str) -> Rule:
    """Of these fields, named as in YAML, exactly one is set."""
    terms = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    message = f"exactly one of {', '.join(names)} must be set"
    return Rule(f"{terms} == 1", message, lambda model: count_set(model, names) == 1)


def at_most_one(*names: str) -> Rule:
    """Of these fields, named as in YAML, one may be set and not more."""
    terms = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    message = f"at most one of {', '.join(names)} may be set"
    return Rule(f"{terms} <= 1", message, lambda model: count_set(model, names) <= 1)


def is_unique(values: Iterable[str]) -> bool:
    """Tell whether no value stands twice."""
    found = list(values)
    return len(set(found)) == len(found)


class LocalObjectReference(Frozen):
    """An object of the same namespace, by name."""

    name: DnsSubdomain = Field(description="Name of the object, in the same namespace.")
