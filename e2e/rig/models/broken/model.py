"""A model that never loads: what a bad revision looks like to Triton, and to whoever has to explain it.

Rule: it fails in `initialize`, after Triton has accepted its configuration.
"""

from __future__ import annotations


class TritonPythonModel:
    """What Triton's stub looks for by name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Fail, saying which model failed."""
        raise RuntimeError(f"model {args['model_name']} is broken on purpose")

    def execute(self, requests: list[object]) -> list[object]:
        """Never reached; without it Triton would refuse the file for another reason."""
        raise RuntimeError(f"{len(requests)} requests reached a model that never loaded")
