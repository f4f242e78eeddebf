"""What differs between model servers, as values; `render` and `serving` read it and know no server by name.

The one rule: a number here was measured or comes with its reason; durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

DRAIN_SECONDS = "$(DRAIN_SECONDS)"
"""Stands in argv for the variable that is laid over a recorded template: a new drain time makes no new revision."""
ADMIN_KEY = "$(ADMIN_KEY)"
"""Stands in argv for the pod's uid, a value that nobody needs to know."""

SLOW_DISK_GIB_IN_TEN_SECONDS = 3
PROBES_WHILE_STARTING = 60


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the server; probes and Services name it."""

    name: str
    number: int
    protocol: str
    """appProtocol of a Service's port; empty where no Service has it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One HTTP check that the kubelet makes."""

    path: str
    period: int
    failures: int
    timeout: int = 5
    """A second, Kubernetes' default, flaps on a busy Python server."""
    grace: int | None = None
    """How long the container may take to end when this probe has failed it."""


@dataclass(frozen=True, slots=True)
class Probes:
    """The three checks of a serving container."""

    startup: Probe
    readiness: Probe
    liveness: Probe


@dataclass(frozen=True, slots=True)
class Drain:
    """How a server ends without losing a request."""

    pre_stop: int
    """Endpoints and gateways must have heard before the server stops accepting."""
    slack: int
    """From the server's own limit to SIGKILL: equal ones would race."""

    def grace(self, drain_seconds: int) -> int:
        """Count the pod's whole grace period."""
        return self.pre_stop + drain_seconds + self.slack


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """One model server."""

    name: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    ports: tuple[Port, ...]
    environment: Mapping[str, str]
    ready_path: str
    """Path that answers 200 when `{model}` is ready."""
    live_path: str
    drain: Drain
    shared_memory_mib: int
    allowed: frozenset[str]
    """Options that a model may set."""
    owned: Mapping[str, str]
    """Options that we set, and what to do instead of setting them."""

    def port(self, name: str) -> int:
        """Find a port's number by its name."""
        return next(port.number for port in self.ports if port.name == name)

    def argv(self, options: Mapping[str, str]) -> tuple[str, ...]:
        """Write the arguments: ours, then the options, each one argument that no shell sees."""
        return (*self.arguments, *(f"--{name}={value}" for name, value in sorted(options.items())))

    def probes(self, model: str, weights_bytes: int) -> Probes:
        """Say how the kubelet checks a server of this model; small weights are asked more often while they start."""
        budget = start_up_seconds(weights_bytes)
        period = min(10, max(2, budget // PROBES_WHILE_STARTING))
        ready = self.ready_path.format(model=model)
        return Probes(
            startup=Probe(ready, period, -(-budget // period)),
            readiness=Probe(ready, period=5, failures=3),
            # A dead server that has a drain's whole time to end would hold its GPU for as long.
            liveness=Probe(self.live_path, period=10, failures=3, grace=30),
        )

    def check_options(self, options: Mapping[str, str], extra_allowed: Iterable[str] = ()) -> tuple[str, ...]:
        """List what is wrong with a model's options, each with what to do."""
        allowed = self.allowed.union(extra_allowed)
        problems = (self._problem(name, allowed) for name in sorted(options))
        return tuple(problem for problem in problems if problem)

    def _problem(self, name: str, allowed: frozenset[str]) -> str:
        if name in self.owned:
            return f'"{name}" is set by inferfleet; {self.owned[name]}'
        if name in allowed:
            return ""
        near = get_close_matches(name, allowed, n=1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        return (
            f'"{name}" is not an option that a model may set; {hint}Remove it, or have it added to '
            f"{self.name}.allowedOptions in the chart's values. Allowed are {', '.join(sorted(allowed))}"
        )


def start_up_seconds(weights_bytes: int) -> int:
    """Allow a server twice the time that its start and its weights take on a slow disk."""
    reading = -(-10 * weights_bytes // (SLOW_DISK_GIB_IN_TEN_SECONDS << 30))
    return 2 * (30 + reading)
