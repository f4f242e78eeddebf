"""Levers on GPUs: break one, repair all."""

from __future__ import annotations

from dataclasses import dataclass

from e2e.rig import gpu_plugin, settings
from e2e.rig.settings import GPUS_PER_NODE


@dataclass(frozen=True, slots=True)
class GpuLevers:
    """Break and repair the GPUs of a node; the device plugin reports it within a fifth of a second."""

    def fail(self, node: str, number: int) -> None:
        """Break one GPU: it goes out of the node's allocatable, its pod keeps running."""
        if not 0 <= number < GPUS_PER_NODE:
            raise ValueError(f"No GPU {number}; a node has 0 to {GPUS_PER_NODE - 1}.")
        spec = settings.node(node)
        self._write(node, gpu_plugin.bad_gpus(spec) | {f"GPU-{number}"})

    def fail_all(self, node: str) -> None:
        """Break every GPU of a node."""
        self._write(node, {f"GPU-{number}" for number in range(GPUS_PER_NODE)})

    def heal(self, node: str) -> None:
        """Repair every GPU of a node."""
        self._write(node, set())

    def _write(self, node: str, bad: set[str]) -> None:
        file = gpu_plugin.bad_gpus_file(settings.node(node))
        fresh = file.with_suffix(".new")
        fresh.write_text(" ".join(sorted(bad)))
        fresh.replace(file)
