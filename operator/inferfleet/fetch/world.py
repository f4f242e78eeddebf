"""Clock, sleep and chance, as arguments.

The one rule: nothing else in this room knows any of them; `run` alone takes the real ones, as defaults.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class World:
    """What is not the same twice."""

    clock: Callable[[], float]
    """Seconds that only go forward."""
    sleep: Callable[[float], Awaitable[object]]
    chance: Callable[[], float]
    """A number from 0 to 1."""
