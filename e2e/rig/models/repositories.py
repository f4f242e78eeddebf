"""Triton model repositories, laid out on disk from the models beside this file.

Rule: a repository is what a user would upload: a directory per model and per version, nothing of the rig.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from e2e.rig.files import link_or_copy

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a repository: whose code it runs, which version it says, whether it brings its config."""

    code: str
    version: int = 1
    config: bool = True
    name: str = ""

    @property
    def served(self) -> str:
        """The name that clients ask for."""
        return self.name or self.code


def lay_out(target: Path, *models: Model, gguf: Path | None = None) -> Path:
    """Write a repository of these models; the language model's weights are a hard link where they can be."""
    for model in models:
        version = target / model.served / str(model.version)
        version.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / model.code / "model.py", version / "model.py")
        if model.config:
            config = (HERE / model.code / "config.pbtxt").read_text()
            named = config.replace(f'name: "{model.code}"', f'name: "{model.served}"', 1)
            (target / model.served / "config.pbtxt").write_text(named)
        if model.code == "smollm2" and gguf is not None:
            link_or_copy(gguf, version / "model.gguf")
    return target
