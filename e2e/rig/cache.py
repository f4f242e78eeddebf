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

# Entries of one name that are kept: enough for the clones of a machine and a few changes in each.
_KEPT = 6


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
    if not entry.exists():
        with file_lock(f"{kind}-{name}"):
            if not entry.exists():
                _build(entry, name, build)
    os.utime(entry)  # the ones used last are kept longest
    return entry


@contextmanager
def file_lock(name: str) -> Iterator[None]:
    """Hold a lock that all clones of this user share; the kernel frees it with the process."""
    path = root() / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(entry: Path, name: str, build: Callable[[Path], None]) -> None:
    for remains in entry.parent.glob(f".{name}-*.part"):
        shutil.rmtree(remains)  # of a build that was killed: this name's lock is ours
    work = entry.with_name(f".{entry.name}.part")
    work.mkdir(parents=True)
    build(work)
    work.rename(entry)
    finished = sorted(_entries(entry.parent, name), key=lambda path: path.stat().st_mtime)
    for old in finished[:-_KEPT]:
        shutil.rmtree(old)


def _entries(directory: Path, name: str) -> list[Path]:
    return [path for path in directory.iterdir() if path.name.rpartition("-")[0] == name]


def _entry(kind: str, name: str, entry_key: str) -> Path:
    return root() / kind / f"{name}-{entry_key}"
