"""Levers as commands: found by looking at `Levers`, so that a new lever is a command without another word."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import fields

from e2e.rig.errors import RigError
from e2e.rig.levers import Levers

_READ: dict[object, Callable[[str], object]] = {int: int, str: str}


def listing() -> list[str]:
    """Describe every lever in a line or two."""
    lines = []
    for name, function in sorted(_all().items()):
        words = [_word(parameter) for parameter in _parameters(function)]
        lines.append(" ".join([name, *words]))
        lines.append(f"    {(inspect.getdoc(function) or '').splitlines()[0]}")
    return lines


def pull(levers: Levers, name: str, argv: list[str]) -> str:
    """Pull a lever by its name, its arguments given as text; return what it says."""
    function = _all().get(name)
    if function is None:
        raise RigError(f"No lever {name!r}; it is one of: {', '.join(sorted(_all()))}.")
    group, _, method = name.partition(".")
    result = getattr(getattr(levers, group), method)(*_read(function, argv))
    return "done" if result is None else _shown(result)


def _all() -> dict[str, Callable[..., object]]:
    hints = typing.get_type_hints(Levers)
    return {
        f"{group.name}.{name}": function
        for group in fields(Levers)
        for name, function in vars(hints[group.name]).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())[1:]


def _word(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"[{parameter.name.upper()} ...]"
    if parameter.default is not inspect.Parameter.empty:
        return f"[{parameter.name.upper()}={parameter.default}]"
    return parameter.name.upper()


def _read(function: Callable[..., object], argv: list[str]) -> list[object]:
    parameters = _parameters(function)
    rest = bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    if len(argv) < len(needed) or (len(argv) > len(parameters) and not rest):
        raise RigError(f"It takes: {' '.join(_word(parameter) for parameter in parameters) or 'nothing'}.")
    hints = typing.get_type_hints(function)
    named = parameters[:-1] if rest else parameters
    values = [_READ[hints[parameter.name]](word) for parameter, word in zip(named, argv, strict=False)]
    return [*values, *argv[len(named) :]]


def _shown(result: object) -> str:
    if isinstance(result, list):
        return "\n".join(str(entry) for entry in result)
    if isinstance(result, dict):
        return "\n".join(f"{key}\t{value}" for key, value in result.items())
    return str(result)
