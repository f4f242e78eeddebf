"""Room for new weights on a claim that is the model's own: commits that nobody uses go, the oldest first.

The one rule: only a commit's directory goes, its marker first, and never one that is in use, pinned or being written.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from inferfleet.fetch import disk, lock
from inferfleet.fetch.layout import Place
from inferfleet.fetch.sources import COMMIT

SOURCE = re.compile(r"[0-9a-f]{16}\Z")
log = logging.getLogger(__name__)


def unused(at: Place, in_use: Collection[str]) -> list[Place]:
    """List the commits that may go for `at`, the one that was finished or begun first at the front. Blocks."""
    found = [old for old in _commits(at.cache) if old != at and old.name not in in_use and not old.pin.exists()]
    return sorted(found, key=lambda old: (_age(old), old.name))


def remove(old: Place) -> bool:
    """Remove one commit under its lock; False when somebody writes it now. Blocks."""
    descriptor = lock.open_lock(old.lock)
    try:
        if not lock.take(descriptor):
            return False
        disk.remove(old.marker)
        disk.sync_directory(old.root)
        disk.remove(old.root)
    finally:
        os.close(descriptor)
    log.info("removed the unused commit %s to make room", old.commit)
    return True


def _commits(cache: Path) -> Iterator[Place]:
    for source in _directories(cache):
        if SOURCE.match(source.name):
            yield from (Place(source, below.name) for below in _directories(source) if COMMIT.match(below.name))


def _directories(path: Path) -> list[Path]:
    return [Path(one.path) for one in os.scandir(path) if one.is_dir(follow_symlinks=False)]


def _age(old: Place) -> int:
    path = old.marker if old.marker.exists() else old.root
    return path.lstat().st_mtime_ns
