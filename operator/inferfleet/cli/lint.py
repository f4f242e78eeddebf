"""Every problem of a manifest at once: what is wrong in one field does not hide what is wrong in another.

The one rule: a field that is wrong is named, taken out of a copy, and the rest is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.api.parse import Problem, parse_spec
from inferfleet.plan import accept

ROUNDS = 8
_NAME, _SOURCE = "m", "hf://org/repository"


def problems(raw: Json, config: FleetConfig) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """List what is wrong with a manifest whatever the cluster, and what this configuration does not allow."""
    wrong: list[Problem] = []
    rest = raw
    for _ in range(ROUNDS):
        found = parse_spec(rest)
        if not isinstance(found, tuple):
            return tuple(wrong), tuple(_unsaid(accept.problems(found, config), wrong))
        wrong += _unsaid(found, wrong)
        if any(each.field == "spec" for each in found):
            break
        rest = _without(found, rest)
    return tuple(wrong), ()


def _unsaid(found: Iterable[Problem], said: list[Problem]) -> list[Problem]:
    """Leave out what only follows from a field that was taken out."""
    fields = [each.field for each in said]
    return [each for each in found if not any(_is_within(each.field, field) for field in fields)]


def _is_within(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _without(found: Iterable[Problem], raw: Json) -> Json:
    """Copy a manifest without its wrong fields, and with what every model must have."""
    rest: Json = deepcopy(raw)
    for each in found:
        if each.field == "metadata.name":
            rest["metadata"] = {"name": _NAME}
        else:
            _take_out(rest, each.field.split("."))
    if not isinstance(rest.get("spec"), dict):
        rest["spec"] = {}
    if not isinstance(rest["spec"].get("model"), dict):
        rest["spec"]["model"] = {}
    rest["spec"]["model"].setdefault("source", _SOURCE)
    return rest


def _take_out(rest: Json, steps: list[str]) -> None:
    """Take out a field, or the map that lacks it; of a list the whole, so that no other item changes its number."""
    place: object = rest
    way: list[tuple[Json, str]] = []
    for number, step in enumerate(steps):
        whole = ".".join(steps[number:])
        key = whole if isinstance(place, dict) and whole in place else step
        if not isinstance(place, dict) or key not in place:
            missing = isinstance(place, dict) and number < len(steps) - 1
            way = [] if missing else way
            break
        way.append((place, key))
        place = place[key]
        if key == whole:
            break
    if way:
        holder, key = way[-1]
        del holder[key]
