"""The rig: a real Kubernetes on one machine, for scenarios and for people.

`python -m e2e.rig up` from the repository's root; scenarios say `rig = Rig.attach()`.
"""

from __future__ import annotations

from e2e.rig.errors import ApiError, CommandError, RigError
from e2e.rig.rig import Rig

__all__ = ["ApiError", "CommandError", "Rig", "RigError"]
