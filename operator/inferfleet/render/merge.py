"""`spec.template` laid over what we render: maps merge, lists append.

The one rule: the template can add and prefer, never take away: a required node stays required.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from inferfleet.api.base import Json
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.api.template import Resources
from inferfleet.api.volumes import OUR_ENV
from inferfleet.fleet.nodes import GPU, PRODUCT_LABEL
from inferfleet.render.metadata import serving_pods

REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
ALWAYS_WRITTEN = {"csi": ("readOnly",)}
"""Fields whose default here is not Kubernetes' own, by the field that holds them."""


def as_written(model: BaseModel) -> Json:
    """Write a part of the template as Kubernetes knows it, without what is Kubernetes' default anyway."""
    whole: Json = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    short: Json = model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    for holder, fields in ALWAYS_WRITTEN.items():
        if holder in short:
            short[holder] |= {field: whole[holder][field] for field in fields}
    return short


def add_environment(ours: list[Json], theirs: Iterable[BaseModel]) -> list[Json]:
    """Append the template's variables; one of ours that the API lets a template set is replaced."""
    added = [as_written(variable) for variable in theirs]
    names = {variable["name"] for variable in added}.difference(OUR_ENV)
    return [variable for variable in ours if variable["name"] not in names] + added


def add_resources(requests: Mapping[str, str], limits: Mapping[str, str], theirs: Resources) -> Json:
    """Merge the template's amounts over ours; what it only limits is also what it asks for."""
    wanted = {key: str(value) for key, value in theirs.requests.items()}
    limited = {key: str(value) for key, value in theirs.limits.items()}
    kept = {key: value for key, value in requests.items() if key not in limited}
    found = {"requests": kept | wanted, "limits": dict(limits) | limited}
    return {key: value for key, value in found.items() if value}


def affinity(spec: ModelDeploymentSpec, products: Iterable[str]) -> Json:
    """Require a node of the class, besides whatever the template requires."""
    theirs = as_written(spec.template.affinity) if spec.template.affinity else {}
    wanted = list(products)
    if not wanted:
        return theirs
    ours = {"key": PRODUCT_LABEL, "operator": "In", "values": wanted}
    nodes = theirs.get("nodeAffinity", {})
    terms = nodes.get(REQUIRED, {}).get("nodeSelectorTerms", [])
    required = {"nodeSelectorTerms": [_both(term, ours) for term in terms] or [{"matchExpressions": [ours]}]}
    return theirs | {"nodeAffinity": nodes | {REQUIRED: required}}


def _both(term: Json, ours: Json) -> Json:
    """Terms are alternatives, so each must require the class; an empty one matches no node and stays so."""
    expressions: list[Any] = term.get("matchExpressions", [])
    return term | {"matchExpressions": [*expressions, ours]} if expressions else term


def scheduling(spec: ModelDeploymentSpec, model: str, products: Iterable[str]) -> Json:
    """Write where the pods may run."""
    template = spec.template
    spread = [
        {"labelSelector": {"matchLabels": serving_pods(model)}} | as_written(each)
        for each in template.topology_spread_constraints
    ]
    found = {
        "nodeSelector": dict(template.node_selector),
        "affinity": affinity(spec, products),
        "tolerations": [*_ours(products), *map(as_written, template.tolerations)],
        "topologySpreadConstraints": spread,
        "runtimeClassName": template.runtime_class_name,
        "schedulerName": template.scheduler_name,
    }
    return {key: value for key, value in found.items() if value}


def _ours(products: Iterable[str]) -> list[Json]:
    """Bear the taint that keeps others off GPU nodes, as the extended resource's own admission plugin does."""
    return [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}] if list(products) else []


def add_pull_secrets(pod: Json, spec: ModelDeploymentSpec) -> Json:
    """Append the template's pull secrets, each once."""
    found = pod.get("imagePullSecrets", []) + [{"name": each.name} for each in spec.template.image_pull_secrets]
    unique = list({each["name"]: each for each in found}.values())
    return pod | ({"imagePullSecrets": unique} if unique else {})
