"""Where things lie in a cache: `<cache>/<source key>/<commit>/`, the lock beside it, partial files and marker in it.

The one rule: a directory with a marker is whole and never written again.

    <cache>/<first 16 of sha256(source)>/
        <commit>.lock                       held (flock) while the commit is written
        <commit>.pinned                     there when a model uses the commit on a claim that is not its own
        <commit>/                           the files of the source's folder, with their paths below it
            .inferfleet-partial/*.partial   what has arrived of files that are not whole; gone when all are
            .inferfleet-complete.json       the marker, written last: what was found, for `/result`
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from inferfleet.fetch.sources import RESERVED
from inferfleet.fleet.names import source_directory

MARKER = f"{RESERVED}complete.json"
PARTIAL = f"{RESERVED}partial"


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one commit of one source."""

    source: Path
    commit: str

    @property
    def root(self) -> Path:
        """The directory that is served."""
        return self.source / self.commit

    @property
    def cache(self) -> Path:
        """The directory of all sources: the volume."""
        return self.source.parent

    @property
    def marker(self) -> Path:
        """The file that says that all others are whole."""
        return self.root / MARKER

    @property
    def lock(self) -> Path:
        """The file that the one writer holds."""
        return self.source / f"{self.commit}.lock"

    @property
    def pin(self) -> Path:
        """The file that keeps the commit from eviction."""
        return self.source / f"{self.commit}.pinned"

    @property
    def name(self) -> str:
        """What the commit is called in this cache."""
        return f"{self.source.name}/{self.commit}"

    @property
    def partials(self) -> Path:
        """The directory of files that are not whole."""
        return self.root / PARTIAL

    def partial(self, path: str) -> Path:
        """Where a file grows until it is whole and proven."""
        return self.partials / f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.partial"

    def file(self, path: str) -> Path:
        """Where a whole file lies."""
        return self.root / path


def place(cache: Path, source: str, commit: str) -> Place:
    """Name the place of a commit in a cache."""
    return Place(cache / source_directory(source), commit)
