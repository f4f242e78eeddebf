"""Label and field selectors; pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from inferfleet.api.base import Json
from support.fake_kube.errors import bad_request

Matches = Callable[[Json], bool]
_SET_BASED = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s+\((?P<values>[^)]*)\)\s*$")
_EQUALITY = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s,()]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<no>!?)\s*(?P<key>[^\s!=,()]+)\s*$")


def selector(labels: str | None, fields: str | None) -> Matches:
    """Make one test of both selectors."""
    wanted = [_label_test(part) for part in re.split(r",(?![^(]*\))", labels)] if labels else []
    wanted += [_field_test(part) for part in fields.split(",")] if fields else []
    return lambda obj: all(test(obj) for test in wanted)


def matches_labels(wanted: Json, labels: Json) -> bool:
    """Test labels against a LabelSelector object."""
    if (wanted.get("matchLabels") or {}).items() - labels.items():
        return False
    return all(matches_requirement(requirement, labels) for requirement in wanted.get("matchExpressions") or [])


def matches_requirement(requirement: Json, labels: Json) -> bool:
    """Test labels against one expression, of a LabelSelector or of node affinity."""
    value, values = labels.get(requirement["key"]), requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "Gt":
            return value is not None and int(value) > int(values[0])
        case "Lt":
            return value is not None and int(value) < int(values[0])
    return value is None


def _label_test(text: str) -> Matches:
    if found := _SET_BASED.match(text):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["op"] == "in":
            return lambda obj: _labels(obj).get(key) in values
        return lambda obj: _labels(obj).get(key) not in values
    if found := _EQUALITY.match(text):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda obj: _labels(obj).get(key) != value
        return lambda obj: _labels(obj).get(key) == value
    if found := _EXISTS.match(text):
        key, absent = found["key"], bool(found["no"])
        return lambda obj: (key not in _labels(obj)) == absent
    raise bad_request(f"unable to parse requirement: {text!r}")


def _field_test(text: str) -> Matches:
    path, _, value = text.partition("!=") if "!=" in text else text.replace("==", "=").partition("=")
    wanted = "!=" not in text
    return lambda obj: (str(_at(obj, path) or "") == value) == wanted


def _labels(obj: Json) -> Json:
    return obj["metadata"].get("labels") or {}


def _at(obj: Json, path: str) -> object:
    value: object = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
