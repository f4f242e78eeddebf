"""What is built once per machine: binaries, images, the base system. Shared by every clone.

The rule: an entry's name holds the hash of everything it was made of, and an entry appears whole (built
under a temporary name, then renamed) or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """Return the cache directory of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "inferfleet"


def key(*parts: str) -> str:
    """Hash a sequence of strings; no two different sequences have the same text."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()[:20]


def files_key(base: Path, files: Iterable[Path]) -> str:
    """Hash files by their path below base, their content and whether they may be executed."""
    parts: list[str] = []
    for file in sorted(files):
        parts.append(str(file.relative_to(base)))
        if file.is_symlink():
            parts.append(f"-> {file.readlink()}")
            continue
        parts.append("x" if file.stat().st_mode & 0o100 else "-")
        parts.append(hashlib.sha256(file.read_bytes()).hexdigest())
    return key(*parts)


def find(kind: str, name: str, entry_key: str) -> Path | None:
    """Return a finished entry, or None."""
    entry = _entry(kind, name, entry_key)
    return entry if entry.exists() else None


def ensure(kind: str, name: str, entry_key: str, build: Callable[[Path], None]) -> Path:
    """Return an entry, building it into an empty directory first if nobody has; others wait meanwhile."""
    entry = _entry(kind, name, entry_key)
    if entry.exists():
        return entry
    with file_lock(f"{kind}-{name}"):
        if not entry.exists():
            work = entry.with_name(f".{entry.name}.part")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            build(work)
            work.rename(entry)
    return entry


@contextmanager
def file_lock(name: str) -> Iterator[None]:
    """Hold a lock that all clones of this user share; the kernel frees it with the process."""
    path = root() / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _entry(kind: str, name: str, entry_key: str) -> Path:
    return root() / kind / f"{name}-{entry_key}"
