"""Who judges an object: pydantic, the CRD's OpenAPI schema, the CRD's CEL rules, and a real API server.

The one rule: a judge says what is wrong in words, and nothing when all is well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext.ext_math import ExtMath
from cel_expr_python.ext.ext_optional import ExtOptional
from cel_expr_python.ext.ext_strings import ExtStrings
from jsonschema_rs import RegexOptions, validator_for

from inferfleet.api.base import Json
from inferfleet.api.crd import crd
from inferfleet.api.parse import parse_spec

Judge = Callable[[Json], tuple[str, ...]]
KUBECONFIG = os.environ.get("INFERFLEET_KUBECONFIG", "")


@cache
def root_schema() -> Json:
    """Read the schema of the whole object, as the CRD holds it."""
    found: Json = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def by_pydantic(raw: Json) -> tuple[str, ...]:
    """Ask the operator."""
    found = parse_spec(raw)
    return tuple(map(str, found)) if isinstance(found, tuple) else ()


def by_schema(raw: Json) -> tuple[str, ...]:
    """Ask the OpenAPI schema, with unknown fields refused as the API server does when asked to be strict."""
    return tuple(f"{'.'.join(map(str, e.instance_path))}: {e.message}" for e in _validator().iter_errors(_stored(raw)))


def by_rules(raw: Json) -> tuple[str, ...]:
    """Ask the CEL rules; the API server asks them only of an object that its schema takes."""
    return tuple(_broken(root_schema(), _stored(raw)))


def by_crd(raw: Json) -> tuple[str, ...]:
    """Ask schema and rules in the API server's order."""
    return by_schema(raw) or by_rules(raw)


def _stored(value: Any) -> Any:
    """Drop the nulls of maps, as the API server does before it looks at them."""
    if isinstance(value, dict):
        return {key: _stored(child) for key, child in value.items() if child is not None}
    return [_stored(child) for child in value] if isinstance(value, list) else value


# --- OpenAPI -----------------------------------------------------------------------------------------------------


@cache
def _validator() -> Any:
    # Rust's regular expressions, like Go's: `$` is the end of the text and not also the place before its last line end.
    return validator_for(
        _json_schema(root_schema()), pattern_options=RegexOptions(), keywords={"x-kubernetes-list-map-keys": _MapList}
    )


def _json_schema(node: Json) -> Json:
    """Turn a structural schema into JSON Schema: closed objects, the one type of two, sets and maps in lists."""
    out = dict(node)
    if node.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
    if node.get("x-kubernetes-list-type") == "set":
        out["uniqueItems"] = True
    if "properties" in node:
        out["properties"] = {name: _json_schema(child) for name, child in node["properties"].items()}
        out["additionalProperties"] = False
    if isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = _json_schema(node["additionalProperties"])
    if "items" in node:
        out["items"] = _json_schema(node["items"])
    return out


class _MapList:
    """A list whose items differ in these keys."""

    def __init__(self, _parent: object, keys: list[str], _path: object) -> None:
        self._keys = keys

    def validate(self, items: object) -> None:
        """Refuse two items of the same keys."""
        if isinstance(items, list):
            seen = [repr([item.get(key) for key in self._keys]) for item in items if isinstance(item, dict)]
            if len(set(seen)) < len(seen):
                raise ValueError("holds an item twice")


# --- CEL ---------------------------------------------------------------------------------------------------------


@cache
def _program(rule: str) -> Any:
    variables = {"self": cel.Type.DYN, "oldSelf": cel.Type.DYN}
    return cel.NewEnv(variables=variables, extensions=[ExtStrings(), ExtOptional(), ExtMath()]).compile(rule)


@cache
def _holds(rule: str, text: str) -> bool:
    """Evaluate one rule; the same part of another object is not evaluated again."""
    return _program(rule).eval(data={"self": json.loads(text)}).value() is True


def _broken(schema: Json, value: Any) -> Iterator[str]:
    rules = schema.get("x-kubernetes-validations", ())
    # The binding ends a key of a map at NUL, the API server does not: another control character stands in for it.
    text = json.dumps(value).replace("\\u0000", "\\u0001") if rules else ""
    for rule in rules:
        if not _holds(rule["rule"], text):
            yield rule["message"]
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, child in value.items():
            yield from _broken(known.get(key, others), child)
    if isinstance(value, list):
        for child in value:
            yield from _broken(schema["items"], child)


def every_rule(schema: Json) -> Iterator[str]:
    """Yield every rule of a schema, wherever it stands."""
    yield from (rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))
    for child in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(child, dict):
            yield from every_rule(child)
