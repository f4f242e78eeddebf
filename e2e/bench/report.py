"""Figures, their gates, and what rivals need for the same.

The one rule: a rival's figure carries the version and the number of objects with which it was measured.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from e2e.bench.phases import Run, Size

RIVALS = ("KubeAI 2f32ef4, N=100", "NIM operator f63f74d, N=200")
FIRST_CHILD_MS, FURTHER_CHILD_MS = 2.0, 0.5
PEAK_MIB, PEAK_MODELS = 128.0, 500
DELAY_MS = 2000.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; without a gate it is only shown."""

    name: str
    value: float
    unit: str
    gate: float | None = None
    passed: bool | None = None
    beside: str = ""


def figures(run: Run, models: int, idle: float) -> list[Figure]:
    """Draw up the table."""
    create, rest = run.phases["create"], run.phases["idle"]
    per_model = 1000 * create.cpu_seconds / models
    found = [
        _shown("create: children of a model", run.children / models, ""),
        _shown("create: until all children were made", run.created_seconds, "s", (299.9, 35.2)),
        _shown("create: until all were Ready", create.seconds, "s", (301.0, 38.1)),
        _shown("create: CPU per model, children made", 1000 * run.created_cpu / models, "ms"),
        _shown("create: CPU per model, settled", per_model, "ms", (15.2, 39.9)),
        _shown("create: CPU per child, settled", per_model * models / run.children, "ms"),
        _shown("create: writes per model", create.writes / models, "", (8.3, 11.2)),
        _shown("create: requests per model", create.requests / models, ""),
        _shown("create: beats per model", create.beats / models, ""),
        _shown("create: beat, median (waits for the API server included)", create.beat_p50_ms, "ms"),
        _shown("create: beat, p99 (waits for the API server included)", create.beat_p99_ms, "ms"),
        _gated(f"idle: writes in {idle:.0f} s", rest.writes, "", 0, (6, 76)),
        _shown("idle: CPU", 100 * rest.cpu_seconds / rest.seconds, "%"),
        _shown("idle: requests", rest.requests / rest.seconds, "/s"),
    ]
    return found + _later(run, models)


def _later(run: Run, models: int) -> list[Figure]:
    change, resync, restart, delete = (run.phases[name] for name in ("change", "resync", "restart", "delete"))
    delays = sorted(run.delays["change"])
    found = [
        _shown("change: CPU per changed model", change.cpu_ms, "ms"),
        _shown("change: writes per changed model", change.writes / change.models, ""),
        _shown("change: event to first write, median", 1000 * _quantile(delays, 0.5), "ms"),
        _gated("change: event to first write, p99", 1000 * _quantile(delays, 0.99), "ms", DELAY_MS),
        *(beat_figure(size) for size in sorted(run.sizes, key=lambda each: each.children)),
        _shown("resync: beat, median", resync.beat_p50_ms, "ms"),
        _shown("resync: beat, p99", resync.beat_p99_ms, "ms"),
        _gated("resync: writes", resync.writes, "", 0),
        _shown("restart: until every model was looked at", restart.seconds, "s"),
        _shown("restart: CPU per model", restart.cpu_ms, "ms"),
        _gated("restart: writes", restart.writes, "", 0),
        _shown("delete: CPU per model", delete.cpu_ms, "ms"),
        _shown("delete: writes, of beats that had begun", delete.writes, ""),
        _gated("delete: objects left, but for claims that are kept", run.left, "", 0),
    ]
    gate = PEAK_MIB if models <= PEAK_MODELS else None
    peak = f"memory: peak with {run.phases['restart'].models} models"
    rivals = _beside(run.peak_mib, (79, 108))
    found.append(_shown("memory: without models", run.start_mib, "MiB"))
    return [*found, Figure(peak, run.peak_mib, "MiB", gate, run.peak_mib < gate if gate else None, rivals)]


def beat_figure(size: Size) -> Figure:
    """Hold a beat against its gate: so much for the first child and so much for each further one."""
    gate = FIRST_CHILD_MS + FURTHER_CHILD_MS * max(size.children - 1, 0)
    name = f"resync: CPU of a beat, {size.group}, {size.children:.0f} children"
    return Figure(name, size.cpu_ms, "ms", gate, size.cpu_ms <= gate)


def _shown(name: str, value: float, unit: str, rivals: tuple[float, float] | None = None) -> Figure:
    return Figure(name, value, unit, beside=_beside(value, rivals))


def _gated(name: str, value: float, unit: str, gate: float, rivals: tuple[float, float] | None = None) -> Figure:
    return Figure(name, value, unit, gate, value <= gate, _beside(value, rivals))


def _beside(value: float, rivals: tuple[float, float] | None) -> str:
    """Say what rivals need, and how many times ours that is."""
    if rivals is None:
        return ""
    words = [f"{theirs:g} ({theirs / value:.1f}x)" if value else f"{theirs:g}" for theirs in rivals]
    return " · ".join(words)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def table(found: list[Figure], models: int) -> Table:
    """Write the table."""
    made = Table(
        title=f"Reconciling {models} models", caption="Rivals, against a real API server: " + " · ".join(RIVALS)
    )
    made.add_column("figure")
    for column in ("value", "gate", "result"):
        made.add_column(column, justify="right")
    made.add_column("KubeAI · NIM operator (times ours)")
    for each in found:
        gate = "" if each.gate is None else f"{each.gate:g} {each.unit}".strip()
        result = "" if each.passed is None else "pass" if each.passed else "FAIL"
        made.add_row(each.name, f"{each.value:.{_digits(each.value)}f} {each.unit}".strip(), gate, result, each.beside)
    return made


def _digits(value: float) -> int:
    return 0 if value == int(value) else 1 if value >= 10 else 2


def details(run: Run) -> dict[str, Any]:
    """Give all that was measured, for machines."""
    return {
        "phases": [asdict(phase) for phase in run.phases.values()],
        "beats": [asdict(size) for size in run.sizes],
        "memory": run.memory,
        "delays": run.delays,
    }
