"""A `pvc://` source: a claim that is mounted read-only and served in place.

The one rule: nothing is written and nobody is asked; whoever may serve it must be able to read all of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inferfleet.fetch import disk, failures, inspection
from inferfleet.fetch.inspection import Facts
from inferfleet.fetch.sources import RESERVED, ClaimSource, check_path, last_name
from inferfleet.fetch.text import plain
from inferfleet.fleet.weights import Repository

SMALL_BYTES = 1 << 20
MOST_ENTRIES = 100_000
MOST_LEVELS = 16
COMMIT_DIGITS = 40
FOREIGN = frozenset({"lost+found"})
"""Directories that file systems put at the top of a volume."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the claim, by its path below the folder; an empty directory ends in a slash."""

    path: str
    size: int = 0
    modified: int = 0
    """Nanoseconds since the epoch."""


def inspect(mount: Path, source: ClaimSource) -> Repository:
    """Find out what a claim holds; blocks on the disk."""
    what = f"pvc://{source.claim}"
    root = mount / source.folder
    try:
        if not mount.is_dir():
            raise failures.claim_unreadable(what, "it is not mounted")
        entries = _entries(mount.resolve(), root, source, what)
        digest = _digest(root, entries)
        seen = inspection.survey((entry.path for entry in entries), last_name(source))
        texts = {path: _text(root, path) for path in seen.small_files()}
    except OSError as error:
        raise failures.claim_unreadable(what, _words(error, mount)) from error
    files = [entry for entry in entries if not entry.path.endswith("/")]
    facts = Facts(digest, sum(entry.size for entry in files), len(files))
    return inspection.repository(seen, texts, facts)


def _entries(real: Path, root: Path, source: ClaimSource, what: str) -> list[Entry]:
    if source.folder and not root.is_dir():
        there = tuple(sorted(one.name for one in os.scandir(real) if one.is_dir() and not _is_foreign(one.name)))
        raise failures.no_folder(what, source.folder, there)
    if not root.resolve().is_relative_to(real):
        raise PermissionError(0, "it is a link that leads out of the claim", str(root))
    walker = _Walker(real, root, what)
    entries = sorted(walker.walk(root, 0), key=lambda entry: entry.path)
    if not any(not entry.path.endswith("/") for entry in entries):
        raise failures.empty(f"{what}/{source.folder}" if source.folder else what)
    return entries


@dataclass(slots=True)
class _Walker:
    """One walk through a claim, with its bounds."""

    real: Path
    root: Path
    what: str
    seen: int = 0

    def walk(self, directory: Path, level: int) -> Iterator[Entry]:
        below = [one for one in os.scandir(directory) if not (level == 0 and _is_foreign(one.name))]
        if not below and level:
            yield Entry(f"{self._name(directory)}/")
        for one in below:
            self._count(level)
            self._check_link(one)
            if one.is_dir():
                if not one.name.startswith("."):
                    yield from self.walk(Path(one.path), level + 1)
            else:
                yield self._file(one)

    def _file(self, one: os.DirEntry[str]) -> Entry:
        found = one.stat()
        if not one.is_file() or not os.access(one.path, os.R_OK, effective_ids=True):
            raise PermissionError(0, "it is no file that may be read", one.path)
        return Entry(self._name(Path(one.path)), found.st_size, found.st_mtime_ns)

    def _check_link(self, one: os.DirEntry[str]) -> None:
        if not one.is_symlink():
            return
        leads = Path(os.path.realpath(one.path))
        if not leads.is_relative_to(self.real):
            raise PermissionError(0, "it is a link that leads out of the claim", one.path)
        if not leads.exists():
            raise PermissionError(0, "it is a link that leads nowhere", one.path)

    def _count(self, level: int) -> None:
        self.seen += 1
        if self.seen > MOST_ENTRIES or level > MOST_LEVELS:
            raise failures.unusable(
                f"{self.what} holds more than {MOST_ENTRIES} files or {MOST_LEVELS} levels",
                "Name the model's folder in spec.model.source.",
            )

    def _name(self, path: Path) -> str:
        return check_path(path.relative_to(self.root).as_posix())


def _digest(root: Path, entries: list[Entry]) -> str:
    """Sum up the listing: small files by content, large ones by size and time; as long as a commit."""
    whole = hashlib.sha256()
    for entry in entries:
        small = entry.size <= SMALL_BYTES and not entry.path.endswith("/")
        mark = _checksum(root / entry.path) if small else str(entry.modified)
        whole.update(f"{entry.path}\0{entry.size}\0{mark}\n".encode())
    return whole.hexdigest()[:COMMIT_DIGITS]


def _checksum(path: Path) -> str:
    return hashlib.sha256(disk.read_bounded(path, SMALL_BYTES)).hexdigest()


def _text(root: Path, path: str) -> str:
    return inspection.check_text(path, disk.read_bounded(root / path, inspection.text_bytes(path)))


def _is_foreign(name: str) -> bool:
    """Whether it is the file system's, or our own mark in a cache that is served as a claim."""
    return name in FOREIGN or name.startswith(RESERVED)


def _words(error: OSError, mount: Path) -> str:
    why = error.strerror or type(error).__name__
    if not isinstance(error.filename, str):
        return why
    path = Path(error.filename)
    shown = path.relative_to(mount).as_posix() if path.is_relative_to(mount) else path.name
    return f"{plain(shown, 120)!r}: {why}"
