"""Levers on the programs of ours that run beside the cluster: the model hub, policy enforcers, fake GPUs."""

from __future__ import annotations

from dataclasses import dataclass

from e2e.rig import services
from e2e.rig.errors import RigError
from e2e.rig.services import Service


@dataclass(frozen=True, slots=True)
class ServiceLevers:
    """Stop, start and restart a service by its name."""

    def stop(self, service: str) -> None:
        """Kill a service."""
        services.stop(_named(service))

    def start(self, service: str) -> None:
        """Start a service that was stopped and return when it is ready."""
        services.start(_named(service))
        services.wait_ready(_named(service))

    def restart(self, service: str) -> None:
        """Kill a service and start it again, with the code of this checkout."""
        self.stop(service)
        self.start(service)


def _named(name: str) -> Service:
    for service in services.declared():
        if service.name == name:
            return service
    known = ", ".join(service.name for service in services.declared())
    raise RigError(f"No service {name!r}; there are {known}.")
