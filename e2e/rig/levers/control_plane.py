"""Levers on the control plane: etcd, apiserver, kcm (controller-manager), scheduler."""

from __future__ import annotations

from dataclasses import dataclass

from e2e.rig import control_plane


@dataclass(frozen=True, slots=True)
class ControlPlaneLevers:
    """Kill, start, restart, freeze and thaw a component."""

    def kill(self, component: str) -> None:
        """End a component without warning (kill -9)."""
        control_plane.kill(component)

    def start(self, component: str) -> None:
        """Start a component that was killed and return when it works."""
        control_plane.start_component(component)
        if component in ("apiserver", "etcd"):
            control_plane.wait_ready()
            control_plane.revive()
        else:
            control_plane.wait_healthy(component)

    def restart(self, component: str) -> None:
        """Kill a component and start it again."""
        self.kill(component)
        self.start(component)

    def freeze(self, component: str) -> None:
        """Stop a component in the middle of what it does: requests hang."""
        control_plane.freeze(component)

    def thaw(self, component: str) -> None:
        """Let a frozen component go on."""
        control_plane.thaw(component)

    def kill_all(self) -> None:
        """End the whole control plane without warning."""
        for component in reversed(control_plane.COMPONENTS):
            control_plane.kill(component)

    def start_all(self) -> None:
        """Start the whole control plane and return when the API server is ready."""
        control_plane.start()
