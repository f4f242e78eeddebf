"""Affinity of `spec.template`: Kubernetes' own shape, every list and string bounded.

The one rule: what the API server would refuse in a pod is refused here, where the field has a name.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from inferfleet.api.base import DnsLabel, Frozen, LabelKey, Labels, LabelValue, Rule

Values = Annotated[tuple[LabelValue, ...], Field(max_length=64)]
Weight = Annotated[int, Field(ge=1, le=100)]
WITH_VALUES = ("In", "NotIn")
WITH_NUMBER = ("Gt", "Lt")


class NodeRequirement(Frozen):
    """One condition on a node."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : "
            "self.operator in ['Gt', 'Lt'] ? has(self.values) && size(self.values) == 1 && "
            "self.values[0].matches('^[0-9]{1,18}$') : !has(self.values) || size(self.values) == 0",
            "In and NotIn need values, Gt and Lt one whole number, Exists and DoesNotExist none; mend values",
            lambda requirement: _values_fit(requirement.operator, requirement.values),
        ),
    )

    key: LabelKey = Field(description="Label key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="How it is compared.")
    values: Values = Field(default=(), description="Values to compare with.")


class NodeTerm(Frozen):
    """Conditions that must all hold."""

    match_expressions: Annotated[tuple[NodeRequirement, ...], Field(max_length=16)] = Field(
        default=(), description="Conditions on labels."
    )


class PreferredNode(Frozen):
    """A wish for nodes."""

    weight: Weight = Field(description="How much it counts.")
    preference: NodeTerm = Field(description="The nodes wished for.")


class RequiredNodes(Frozen):
    """Terms of which one must hold."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(min_length=1, max_length=16)] = Field(
        description="Alternatives."
    )


class NodeAffinity(Frozen):
    """Which nodes."""

    required_during_scheduling_ignored_during_execution: RequiredNodes | None = Field(
        default=None, description="Nodes that are required."
    )
    preferred_during_scheduling_ignored_during_execution: Annotated[tuple[PreferredNode, ...], Field(max_length=16)] = (
        Field(default=(), description="Nodes that are wished for.")
    )


class LabelRequirement(Frozen):
    """One condition on labels."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values, Exists and DoesNotExist take none; mend values",
            lambda requirement: _values_fit(requirement.operator, requirement.values),
        ),
    )

    key: LabelKey = Field(description="Label key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How it is compared.")
    values: Values = Field(default=(), description="Values to compare with.")


class LabelSelector(Frozen):
    """Objects with these labels."""

    match_labels: Labels = Field(default={}, description="Labels that must be equal.")
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=16)] = Field(
        default=(), description="Further conditions."
    )


class PodTerm(Frozen):
    """Pods, and the domain in which they count."""

    label_selector: LabelSelector | None = Field(default=None, description="Which pods.")
    namespaces: Annotated[tuple[DnsLabel, ...], Field(max_length=16)] = Field(
        default=(), description="Their namespaces; this one if unset."
    )
    topology_key: LabelKey = Field(description="Node label that names the domain.")


class PreferredPod(Frozen):
    """A wish to be near or far."""

    weight: Weight = Field(description="How much it counts.")
    pod_affinity_term: PodTerm = Field(description="The pods.")


class PodAffinity(Frozen):
    """Near which pods, or far from which."""

    required_during_scheduling_ignored_during_execution: Annotated[tuple[PodTerm, ...], Field(max_length=16)] = Field(
        default=(), description="Required."
    )
    preferred_during_scheduling_ignored_during_execution: Annotated[tuple[PreferredPod, ...], Field(max_length=16)] = (
        Field(default=(), description="Wished for.")
    )


class Affinity(Frozen):
    """Where the pods may and should run."""

    node_affinity: NodeAffinity | None = Field(default=None, description="Which nodes.")
    pod_affinity: PodAffinity | None = Field(default=None, description="Near which pods.")
    pod_anti_affinity: PodAffinity | None = Field(default=None, description="Far from which pods.")


def _values_fit(operator: str, values: tuple[str, ...]) -> bool:
    if operator in WITH_NUMBER:
        return len(values) == 1 and re.fullmatch("[0-9]{1,18}", values[0]) is not None
    return (operator in WITH_VALUES) == bool(values)
