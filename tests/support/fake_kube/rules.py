"""What the API server refuses: names, owners, and changes of what cannot change; pure.

The one rule: the same status, reason and field as the real one, in nearly the same words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inferfleet.api.base import Json
from support.fake_kube.errors import cause, invalid
from support.fake_kube.resources import Resource

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_SERVICE = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_JOB_FIXED = ("selector", "template", "completions", "completionMode")


def check(resource: Resource, before: Json | None, after: Json) -> None:
    """Refuse an object, or a change of one, that breaks a rule of its kind."""
    causes = [*_name_causes(resource, after), *_meta_causes(after), *_budget_causes(resource, after)]
    if before is None:
        causes += _creation_causes(resource, after)
    else:
        causes += _change_causes(resource, before, after)
    if causes:
        kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        raise invalid(kind, after["metadata"]["name"], causes)


def _name_causes(resource: Resource, obj: Json) -> Iterator[Json]:
    name = obj["metadata"]["name"]
    if resource.plural == "services":
        pattern, longest, told = _SERVICE, 63, "a DNS-1035 label must consist of lower case alphanumeric characters"
    elif resource.plural == "namespaces":
        pattern, longest, told = _LABEL, 63, "a lowercase RFC 1123 label must consist of lower case alphanumeric"
    else:
        pattern, longest, told = _SUBDOMAIN, 253, "a lowercase RFC 1123 subdomain must consist of lower case"
    if len(name) > longest or not pattern.match(name):
        yield cause("metadata.name", f'Invalid value: "{name}": {told}')


def _meta_causes(obj: Json) -> Iterator[Json]:
    meta = obj["metadata"]
    for key, value in (meta.get("labels") or {}).items():
        if len(value) > 63 or not _LABEL_VALUE.match(value):
            yield cause(
                "metadata.labels", f'Invalid value: "{value}": a valid label must be an empty string or consist'
            )
        if len(key) > 317:
            yield cause("metadata.labels", f'Invalid value: "{key}": name part must be no more than 63 bytes')
    references = meta.get("ownerReferences") or []
    for index, reference in enumerate(references):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(name):
                yield cause(f"metadata.ownerReferences[{index}].{name}", 'Invalid value: "": must not be empty')
    if sum(bool(reference.get("controller")) for reference in references) > 1:
        told = "Only one reference can have Controller set to true"
        yield cause("metadata.ownerReferences", f"Invalid value: []: {told}")


def _budget_causes(resource: Resource, obj: Json) -> Iterator[Json]:
    if (
        resource.plural == "poddisruptionbudgets"
        and {"minAvailable", "maxUnavailable"} <= (obj.get("spec") or {}).keys()
    ):
        yield cause("spec", "Invalid value: {}: minAvailable and maxUnavailable cannot be both set")


def _creation_causes(resource: Resource, obj: Json) -> Iterator[Json]:
    spec = obj.get("spec") or {}
    if resource.plural == "replicasets":
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
        wanted = (spec.get("selector") or {}).get("matchLabels") or {}
        if not wanted:
            yield cause("spec.selector", "Invalid value: {}: empty selector is invalid for deployment")
        if wanted.items() - labels.items():
            told = f"Invalid value: {labels}: `selector` does not match template `labels`"
            yield cause("spec.template.metadata.labels", told)
    if resource.plural == "jobs" and (spec.get("template") or {}).get("spec", {}).get("restartPolicy") == "Always":
        yield cause("spec.template.spec.restartPolicy", 'Unsupported value: "Always": supported values: "OnFailure"')


def _change_causes(resource: Resource, before: Json, after: Json) -> Iterator[Json]:
    yield from (_immutable(path) for path in _changed_for_ever(resource, before, after))
    if resource.plural == "persistentvolumeclaims":
        yield from _claim_causes(before["spec"], after["spec"])
    if resource.plural == "controllerrevisions" and before.get("data") != after.get("data"):
        yield cause("data", "Invalid value: {}: field is immutable")
    if resource.plural == "configmaps" and before.get("immutable") and before.get("data") != after.get("data"):
        yield cause("data", "Forbidden: field is immutable when `immutable` is set", "FieldValueForbidden")
    if resource.plural == "pods" and _fixed_pod(before["spec"]) != _fixed_pod(after["spec"]):
        yield cause("spec", "Forbidden: pod updates may not change fields other than", "FieldValueForbidden")


def _changed_for_ever(resource: Resource, before: Json, after: Json) -> Iterator[str]:
    names: tuple[str, ...] = {"replicasets": ("selector",), "jobs": _JOB_FIXED}.get(resource.plural, ())
    for name in names:
        if before["spec"].get(name) != after["spec"].get(name):
            yield f"spec.{name}"


def _immutable(path: str) -> Json:
    return cause(path, "Invalid value: {}: field is immutable")


def _claim_causes(before: Json, after: Json) -> Iterator[Json]:
    fixed = [{name: value for name, value in spec.items() if name != "resources"} for spec in (before, after)]
    bound = before.get("volumeName")
    if fixed[0] != fixed[1] or (not bound and before.get("resources") != after.get("resources")):
        told = "Forbidden: spec is immutable after creation except resources.requests for bound claims"
        yield cause("spec", told, "FieldValueForbidden")


def _fixed_pod(spec: Json) -> Json:
    return {name: value for name, value in spec.items() if name not in ("tolerations", "activeDeadlineSeconds")} | {
        "containers": [{**container, "image": ""} for container in spec["containers"]],
    }
