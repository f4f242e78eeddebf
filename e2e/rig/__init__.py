"""The rig: a real Kubernetes on one machine, for scenarios and for people.

`python -m e2e.rig up` from the repository's root; scenarios say `rig = Rig.attach()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from e2e.rig.errors import ApiError, CommandError, RigError

if TYPE_CHECKING:
    from e2e.rig.rig import Rig

__all__ = ["ApiError", "CommandError", "Rig", "RigError"]


def __getattr__(name: str) -> object:
    # Late, because the programs of the rig that are modules of this package need little of it.
    if name == "Rig":
        from e2e.rig.rig import Rig

        return Rig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
