"""The columns of `kubectl get`, as the API server evaluates them: the part of JSONPath that a CRD's columns use."""

from __future__ import annotations

import re

from inferfleet.api.base import Json

STEP = re.compile(r"\.(\w+)(?:\[\?\(@\.(\w+)==\"(\w+)\"\)\])?")


def cell(path: str, obj: Json) -> str:
    """Evaluate one column; what is not there is an empty cell."""
    assert STEP.sub("", path) == "", f"{path} is no path that this reads"
    value: object = obj
    for name, key, wanted in STEP.findall(path):
        value = value.get(name) if isinstance(value, dict) else None
        if key and isinstance(value, list):
            value = next((item for item in value if item.get(key) == wanted), None)
    return "" if value is None else str(value)
