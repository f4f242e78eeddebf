"""The CustomResourceDefinition, generated from the models.

The one rule: nothing is written by hand twice; bounds, descriptions and CEL rules come from the models alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic.json_schema import GenerateJsonSchema

from inferfleet.api.base import GROUP, KIND, PLURAL, VERSION, Frozen, Json
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.api.status import ModelDeploymentStatus

NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
NAME_MESSAGE = (
    "metadata.name must be a DNS label that starts with a letter and has at most 40 characters; "
    "names of children are made of it"
)
NAME_RULE = {
    "rule": f"self.metadata.name.matches(r'{NAME_PATTERN}') && size(self.metadata.name) <= 40",
    "message": NAME_MESSAGE,
}
COLUMNS = (
    ("Model", "string", ".spec.model.source", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 0),
    ("Replicas", "string", ".status.summary.replicas", 0),
    ("GPUs", "string", ".status.summary.gpus", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Revision", "string", ".status.plan.revision", 1),
    ("Engine", "string", ".status.plan.engine", 1),
    ("URL", "string", ".status.endpoint", 1),
)
MAP_LISTS = {"conditions": "type", "volumes": "name", "env": "name"}
SET_LISTS = ("products",)
DROPPED = ("title", "default", "additionalProperties", "discriminator", "patternProperties", "propertyNames")
REFUSED = ("exclusiveMinimum", "exclusiveMaximum", "prefixItems", "oneOf", "uniqueItems", "allOf")


def crd() -> Json:
    """Build the CustomResourceDefinition of ModelDeployment."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["mdep"],
                "categories": ["inferfleet"],
            },
            "versions": [_version()],
        },
    }


def _version() -> Json:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "selectableFields": [{"jsonPath": ".spec.model.source"}, {"jsonPath": ".spec.engine.type"}],
        "additionalPrinterColumns": [_column(*column) for column in COLUMNS],
    }


def _column(name: str, kind: str, path: str, priority: int) -> Json:
    column: Json = {"name": name, "type": kind, "jsonPath": path}
    return column | {"priority": priority} if priority else column


def _root() -> Json:
    status = _schema(ModelDeploymentStatus)
    status["default"] = {"observedGeneration": -1}
    return {
        "type": "object",
        "description": "ModelDeployment serves an open-weight model on the GPUs of this cluster.",
        "required": ["spec"],
        "x-kubernetes-validations": [NAME_RULE],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of the schema of this object."},
            "kind": {"type": "string", "description": "Kind of this object."},
            "metadata": {"type": "object"},
            "spec": _schema(ModelDeploymentSpec),
            "status": status,
        },
    }


def _schema(model: type[Frozen]) -> Json:
    schema = model.model_json_schema(by_alias=True, schema_generator=GenerateJsonSchema)
    rules = {found.__name__: found.rules for found in _parts(model)}
    return _convert(schema, schema.get("$defs", {}), rules)


def _parts(model: type[Frozen]) -> Iterator[type[Frozen]]:
    """Yield a model and every model inside it: one of the same name elsewhere has no say here."""
    yield model
    for field in model.model_fields.values():
        for part in _models_in(field.annotation):
            yield from _parts(part)


def _models_in(annotation: Any) -> Iterator[type[Frozen]]:  # noqa: ANN401 - a type as typing spells it
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _convert(node: Json, definitions: Json, rules: dict[str, Any]) -> Json:
    """Turn one JSON Schema node into the structural schema that Kubernetes takes."""
    node = _inlined(node, definitions)
    if refused := [key for key in REFUSED if key in node]:
        message = f"Kubernetes takes no {', '.join(refused)}; use ge and le, tuple[X, ...] or one type"
        raise TypeError(message)
    node = _without_null(node, definitions)
    out: Json = {key: value for key, value in node.items() if key not in (*DROPPED, "$defs", "properties", "items")}
    if "const" in out:
        out["enum"] = [out.pop("const")]
    if "properties" in node:
        out["properties"] = {
            name: _convert(child, definitions, rules) | _list_kind(name, child, definitions)
            for name, child in node["properties"].items()
        }
    if "items" in node:
        out["items"] = _convert(node["items"], definitions, rules)
    if (values := _map_values(node)) is not None:
        out["additionalProperties"] = _convert(values, definitions, rules)
    return out | _validations(node, rules)


def _map_values(node: Json) -> Json | None:
    """Find the schema of a map's values; a map with a pattern for its keys has them under that pattern."""
    for values in node.get("patternProperties", {}).values():
        found: Json = values
        return found
    plain = node.get("additionalProperties")
    return plain if isinstance(plain, dict) else None


def _inlined(node: Json, definitions: Json) -> Json:
    if "$ref" not in node:
        return node
    target: Json = definitions[node["$ref"].rsplit("/", 1)[1]]
    return target | {key: value for key, value in node.items() if key != "$ref"}


def _without_null(node: Json, definitions: Json) -> Json:
    if "anyOf" not in node:
        return node
    options = [_inlined(option, definitions) for option in node["anyOf"] if option.get("type") != "null"]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    if len(options) == 1:
        return options[0] | rest
    if sorted(option["type"] for option in options) == ["integer", "string"]:
        bounds = {key: value for option in options for key, value in option.items() if key != "type"}
        return {"x-kubernetes-int-or-string": True} | bounds | rest
    message = f"Kubernetes takes one type per field, not {[option.get('type') for option in options]}"
    raise TypeError(message)


def _list_kind(name: str, child: Json, definitions: Json) -> Json:
    if _without_null(_inlined(child, definitions), definitions).get("type") != "array":
        return {}
    if name in SET_LISTS:
        return {"x-kubernetes-list-type": "set"}
    if name in MAP_LISTS:
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [MAP_LISTS[name]]}
    return {"x-kubernetes-list-type": "atomic"}


def _validations(node: Json, rules: dict[str, Any]) -> Json:
    if node.get("type") != "object":
        return {}
    found = [{"rule": rule.cel, "message": rule.message} for rule in rules.get(node.get("title", ""), ())]
    found += [
        {"rule": f"self.all(key, {test})", "message": f"every key must {words}"} for test, words in _key_tests(node)
    ]
    return {"x-kubernetes-validations": found} if found else {}


def _key_tests(node: Json) -> Iterator[tuple[str, str]]:
    """Yield what a map asks of its keys, for CEL and for people: OpenAPI has no word for it in Kubernetes."""
    keys = node.get("propertyNames", {})
    for pattern in (*node.get("patternProperties", {}), *([keys["pattern"]] if "pattern" in keys else [])):
        yield f"key.matches(r'{pattern}')", f"match {pattern}"
    if longest := keys.get("maxLength"):
        yield f"size(key) <= {longest}", f"have at most {longest} characters"
    if allowed := keys.get("enum") or ([keys["const"]] if "const" in keys else []):
        yield f"key in {allowed}", f"be one of {', '.join(allowed)}"
