"""Two small drawings side by side: what a beat costs by its children, and memory by models, each with its gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2e.bench.phases import Size
from e2e.bench.report import FIRST_CHILD_MS, FURTHER_CHILD_MS, PEAK_MIB, PEAK_MODELS

WIDTH, HEIGHT, MARGIN = 360, 260, 46


@dataclass(frozen=True, slots=True)
class Axes:
    """One drawing: its left edge, and what its far corner stands for."""

    left: float
    x_end: float
    y_end: float

    def at(self, x: float, y: float) -> str:
        """Place a value."""
        right = self.left + MARGIN + (WIDTH - 2 * MARGIN) * x / self.x_end
        return f"{right:.1f},{HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * y / self.y_end:.1f}"


def plot(sizes: Sequence[Size], memory: Sequence[tuple[int, float]]) -> str:
    """Draw both."""
    most = max((size.children for size in sizes), default=1) + 1
    cost = Axes(0, most, FIRST_CHILD_MS + FURTHER_CHILD_MS * most)
    room = Axes(WIDTH, max([models for models, _ in memory] or [1]), max([PEAK_MIB, *(mib for _, mib in memory)]) * 1.1)
    end = FIRST_CHILD_MS + FURTHER_CHILD_MS * (most - 1)
    parts = [
        *_frame(cost, "CPU of a beat, ms", "children"),
        _line([cost.at(1, FIRST_CHILD_MS), cost.at(most, end)], "gate"),
        *(_dot(cost.at(size.children, size.cpu_ms), f"{size.group} {size.cpu_ms:.1f}") for size in sizes),
        *_frame(room, "resident memory, MiB", "models with all children"),
        _line([room.at(0, PEAK_MIB), room.at(min(PEAK_MODELS, room.x_end), PEAK_MIB)], "gate"),
        _line([room.at(models, mib) for models, mib in memory], "seen"),
    ]
    style = "text{font:11px sans-serif;fill:#333}.gate{stroke:#c33;stroke-dasharray:5 4}.seen{stroke:#27c}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}">'
    back = f'<style>{style}</style><rect width="{2 * WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([head, back, *parts, "</svg>"]) + "\n"


def _frame(axes: Axes, title: str, below: str) -> list[str]:
    """Draw axes with their ends written at them."""
    corner, top, right = axes.at(0, 0), axes.at(0, axes.y_end), axes.at(axes.x_end, 0)
    left, bottom = axes.left + MARGIN, HEIGHT - MARGIN + 16
    return [
        f'<polyline points="{top} {corner} {right}" fill="none" stroke="#999"/>',
        f'<text x="{left}" y="{MARGIN - 14}">{title}</text>',
        f'<text x="{left - 6}" y="{MARGIN + 4}" text-anchor="end">{axes.y_end:.0f}</text>',
        f'<text x="{left - 6}" y="{HEIGHT - MARGIN + 4}" text-anchor="end">0</text>',
        f'<text x="{axes.left + WIDTH - MARGIN}" y="{bottom}" text-anchor="end">{below}: {axes.x_end:.0f}</text>',
    ]


def _line(points: Sequence[str], kind: str) -> str:
    return f'<polyline class="{kind}" points="{" ".join(points)}" fill="none" stroke-width="1.5"/>'


def _dot(at: str, words: str) -> str:
    x, y = at.split(",")
    return f'<circle cx="{x}" cy="{y}" r="3.5" fill="#27c"/><text x="{float(x) + 6}" y="{float(y) - 5}">{words}</text>'
