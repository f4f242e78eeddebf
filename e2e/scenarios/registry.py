"""The list of scenarios, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from e2e.lab import Lab

Play = Callable[[Lab, bool], None]
"""Plays a scenario; the second argument asks for the whole matrix instead of the fixed part and today's draw."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One promise: its name, what it shows, and how long it may take."""

    name: str
    shows: str
    play: Play
    limit_seconds: int = 300


_FOUND: dict[str, Scenario] = {}


def scenario(name: str, shows: str, limit_seconds: int = 300) -> Callable[[Play], Play]:
    """Register a function as a scenario."""

    def register(play: Play) -> Play:
        _FOUND[name] = Scenario(name, shows, play, limit_seconds)
        return play

    return register


def scenarios() -> dict[str, Scenario]:
    """Load every module of scenarios, and list what they registered."""
    from importlib import import_module

    for module in ORDER:
        import_module(f"e2e.scenarios.{module}")
    return dict(_FOUND)


ORDER = (
    "serve",
    "restricted",
    "egress",
    "explain",
    "tutorial",
    "download",
    "heal",
    "takeover",
    "operator_down",
    "idle",
    "rbac",
)
