"""Levers: what a scenario (or a person) does to the cluster, each a call here and a command of the rig.

The rule: a lever changes the real thing (a link, a process, a rule), returns when that is done, and has a
way back. It does not wait for what the cluster makes of it: that is the scenario's to measure.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e.rig.api import Api
from e2e.rig.levers.control_plane import ControlPlaneLevers
from e2e.rig.levers.gpu import GpuLevers
from e2e.rig.levers.network import NetworkLevers
from e2e.rig.levers.node import NodeLevers
from e2e.rig.levers.pods import PodLevers
from e2e.rig.levers.rbac import RbacLevers, Revoked
from e2e.rig.levers.services import ServiceLevers
from e2e.rig.levers.tokens import TokenLevers
from e2e.rig.levers.volumes import VolumeLevers

__all__ = ["Levers", "Revoked"]


@dataclass(frozen=True, slots=True)
class Levers:
    """All levers, by what they act on."""

    network: NetworkLevers
    gpu: GpuLevers
    node: NodeLevers
    control_plane: ControlPlaneLevers
    pods: PodLevers
    rbac: RbacLevers
    tokens: TokenLevers
    volumes: VolumeLevers
    services: ServiceLevers

    @classmethod
    def of(cls, api: Api) -> Levers:
        """Make the levers of the cluster behind an API client."""
        return cls(
            network=NetworkLevers(),
            gpu=GpuLevers(),
            node=NodeLevers(api),
            control_plane=ControlPlaneLevers(),
            pods=PodLevers(api),
            rbac=RbacLevers(api),
            tokens=TokenLevers(api),
            volumes=VolumeLevers(api),
            services=ServiceLevers(),
        )
