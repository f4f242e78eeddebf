"""From raw objects to models, and from pydantic's errors to sentences a user can act on.

The one rule: an answer names the field, what was found, what is allowed and what to do, and shows no secret.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from inferfleet.api.base import Json
from inferfleet.api.crd import NAME_MESSAGE, NAME_PATTERN, crd
from inferfleet.api.spec import ModelDeploymentSpec

SHOWN = 64
HIDDEN_FIELDS = ("value", "annotations", "volumeAttributes")
LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing the user must mend: `field` is a path such as `spec.gpu.count`."""

    field: str
    message: str

    def __str__(self) -> str:
        """Say it as one sentence."""
        return f"{self.field}: {self.message}"


def parse_spec(raw: Json) -> ModelDeploymentSpec | tuple[Problem, ...]:
    """Read `spec` of a raw object, or say everything that is wrong with it."""
    try:
        return _named(raw) or _spec(_as_stored(raw.get("spec")))
    except RecursionError:
        return (Problem("spec", "it is nested more deeply than any field; remove what is too deep"),)


def _named(raw: Json) -> tuple[Problem, ...]:
    meta = raw.get("metadata")
    name = meta.get("name", "") if isinstance(meta, dict) else ""
    if isinstance(name, str) and len(name) <= LONGEST_NAME and re.fullmatch(NAME_PATTERN, name):
        return ()
    return (Problem("metadata.name", f"found {json.dumps(name, default=str)[:SHOWN]}; {NAME_MESSAGE}"),)


def _as_stored(value: object) -> object:
    """Read a value as the API server does: a null in a map is a field that is not set, and 2.0 is 2."""
    if isinstance(value, dict):
        return {key: _as_stored(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [_as_stored(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _spec(raw: object) -> ModelDeploymentSpec | tuple[Problem, ...]:
    try:
        return ModelDeploymentSpec.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        found = [_problem(detail) for detail in error.errors(include_url=False, include_context=False)]
        return tuple(dict.fromkeys(found))


def _problem(detail: ErrorDetails) -> Problem:
    steps = [part for part in detail["loc"] if not _is_branch(part)]
    path = ".".join(["spec", *map(str, steps)])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return Problem(path, "this field does not exist; remove it, or see `kubectl explain` for its right name")
    if detail["type"] == "missing":
        return Problem(path, f"this field is required; set it. {_description(steps)}".strip())
    if detail["type"] == "value_error":
        return Problem(path, message)
    allowed = f"{message[0].lower()}{message[1:]}"
    return Problem(path, f"found {_shown(detail, path)}; {allowed}. {_description(steps)}".strip())


def _is_branch(part: int | str) -> bool:
    """Tell pydantic's names for the branches of a union, and for keys of a map, from fields."""
    return isinstance(part, str) and (part in ("int", "str", "[key]") or part.startswith(("constrained-", "function-")))


def _shown(detail: ErrorDetails, path: str) -> str:
    if any(field in path.split(".") for field in HIDDEN_FIELDS):
        return "a value (not shown)"
    text = json.dumps(detail["input"], default=str, ensure_ascii=True)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def _description(steps: list[int | str]) -> str:
    """Say what the field is for, in the words of `kubectl explain`."""
    node = _spec_schema()
    for step in steps:
        node = node.get("items" if isinstance(step, int) else "properties", {})
        node = node if isinstance(step, int) else node.get(step, {})
    return str(node.get("description", ""))


@cache
def _spec_schema() -> Json:
    schema: Json = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema
