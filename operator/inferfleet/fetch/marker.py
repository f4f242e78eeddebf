"""The marker of a whole download: what was found, so that nobody has to look again.

The one rule: it is written last, and one that cannot be read counts as none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from inferfleet.errors import FetchError
from inferfleet.fetch import disk
from inferfleet.fleet.weights import Repository, Wire

MOST_BYTES = 64 << 20


class Marker(Wire):
    """The marker's content."""

    version: Literal[1] = 1
    source: str
    repository: Repository


def read(path: Path, source: str) -> Repository | None:
    """Return what a whole download found; None when it is not whole."""
    try:
        content = disk.read_bounded(path, MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FetchError("CacheUnwritable", f"The cache's marker cannot be read: {error.strerror}.") from error
    try:
        marker = Marker.model_validate_json(content)
    except ValidationError:
        return None
    return marker.repository if marker.source == source else None


def write(path: Path, source: str, repository: Repository) -> None:
    """Say that the directory is whole; everything else in it is on the disk by now."""
    disk.replace_file(path, Marker(source=source, repository=repository).model_dump_json().encode())
