"""The reference page of the API: every field of a ModelDeployment, from the schema that the CRD holds.

The one rule: the words are the fields' own descriptions; nothing is said twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from inferfleet.api.base import API_VERSION, GROUP, KIND, PLURAL, Frozen, Json
from inferfleet.api.crd import COLUMNS, NAME_MESSAGE, crd
from inferfleet.api.spec import ModelDeploymentSpec
from tools.markdown import code, page, table

HEAD = f"""\
`{PLURAL}.{GROUP}`, kind `{KIND}`, version `{API_VERSION}`.

The short name is `mdep`; the kind's name exists in other API groups too, so scripts use the full resource name.
`kubectl explain {PLURAL}.spec` shows the same texts.

{NAME_MESSAGE}.
"""


def api_page() -> str:
    """Write the page."""
    properties = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    parts = [HEAD, "## spec\n", _table(_top(properties["spec"]), _defaults(ModelDeploymentSpec))]
    for name, node in properties["spec"]["properties"].items():
        if "properties" in node:
            model = _inner(ModelDeploymentSpec, name)
            rows = list(_fields(node, ""))
            parts += [f"## spec.{name}\n", f"{node['description']}\n", _table(rows, _defaults(model) if model else {})]
            parts.append(_rules(node, name))
    parts += ["## status\n", _table(list(_fields(properties["status"], "")), {})]
    parts += ["## Columns of `kubectl get`\n", _columns()]
    return page(f"{KIND}", "\n".join(part for part in parts if part))


def _top(node: Json) -> list[tuple[str, Json, bool]]:
    required = node.get("required", ())
    return [(name, child, name in required) for name, child in node["properties"].items()]


def _fields(node: Json, path: str) -> Iterator[tuple[str, Json, bool]]:
    """Yield every field below a node, by its path: `[]` is an item of a list, `*` a key of a map."""
    required = node.get("required", ())
    for name, child in node.get("properties", {}).items():
        yield f"{path}{name}", child, name in required
        yield from _below(child, f"{path}{name}")


def _below(node: Json, path: str) -> Iterator[tuple[str, Json, bool]]:
    if "properties" in node:
        yield from _fields(node, f"{path}.")
    elif "items" in node:
        yield from _below(node["items"], f"{path}[]")


def _table(rows: list[tuple[str, Json, bool]], defaults: dict[str, str]) -> str:
    lines = [(code(path), _type(node), _told(node, required, defaults.get(path, ""))) for path, node, required in rows]
    return table(("field", "type", "meaning"), lines)


def _told(node: Json, required: bool, default: str) -> str:
    marks = ["**Required.** "] if required else []
    return "".join(marks) + str(node.get("description", "")) + (f" Default: {code(default)}." if default else "")


def _type(node: Json) -> str:
    """Say type and bounds in a few words."""
    if "enum" in node:
        return " or ".join(code(value) for value in node["enum"])
    if node.get("x-kubernetes-int-or-string"):
        return "number or quantity"
    if node["type"] == "array":
        return f"list of {_type(node['items'])}, at most {node['maxItems']}" if "maxItems" in node else "list"
    if "additionalProperties" in node:
        return f"map to {_type(node['additionalProperties'])}, at most {node['maxProperties']}"
    if node["type"] == "integer" and "maximum" in node:
        return f"{node['minimum']} to {node['maximum']}"
    names = {"integer": "whole number", "string": "text", "object": "object", "boolean": "true or false"}
    longest = f", at most {node['maxLength']} characters" if "maxLength" in node else ""
    return names[node["type"]] + longest


def _inner(model: type[BaseModel], name: str) -> type[Frozen] | None:
    """Find the model of a field, by the field's name in YAML."""
    found = next(field for field in model.model_fields.values() if field.alias == name).annotation
    return found if isinstance(found, type) and issubclass(found, Frozen) else None


def _defaults(model: type[BaseModel], path: str = "") -> dict[str, str]:
    """List the defaults that are worth telling: of values that are neither empty nor objects."""
    found: dict[str, str] = {}
    for field in model.model_fields.values():
        default = field.default
        if isinstance(default, BaseModel):
            found |= _defaults(type(default), f"{path}{field.alias}.")
        elif isinstance(default, bool):
            found[f"{path}{field.alias}"] = str(default).lower()
        elif default not in (None, "", (), {}) and default is not PydanticUndefined:
            found[f"{path}{field.alias}"] = str(default)
    return found


def _rules(node: Json, name: str) -> str:
    """List what is refused although every field is right by itself."""
    found = sorted({message for message in _messages(node) if not message.startswith("every key")})
    return (
        "\n".join([f"What `spec.{name}` asks besides:\n", *(f"- {message}" for message in found), ""]) if found else ""
    )


def _messages(node: Json) -> Iterator[str]:
    yield from (rule["message"] for rule in node.get("x-kubernetes-validations", ()))
    for child in (*node.get("properties", {}).values(), node.get("items"), node.get("additionalProperties")):
        if isinstance(child, dict):
            yield from _messages(child)


def _columns() -> str:
    rows = [(name, code(path), "with `-o wide`" if priority else "") for name, _, path, priority in COLUMNS]
    return table(("column", "path", "shown"), rows)
