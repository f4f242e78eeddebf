"""A file that grows until it is whole: its bytes on the disk and the checksum of them, always in step.

The one rule: what a killed run left is read again before anything is added; functions block and run in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from inferfleet.fetch import disk
from inferfleet.fetch.listing import RemoteFile


class Partial:
    """An open partial file."""

    def __init__(self, path: Path, file: RemoteFile) -> None:
        """Open what is there, or begin."""
        self._path = path
        self._file = file
        self._busy = Lock()
        self._closing = False
        self._descriptor: int | None = disk.open_file(path)
        self._hasher = file.hasher()
        self.offset = 0
        self.reached = 0
        """The farthest that it has come since it was begun: only more than this is progress."""

    def take_up(self, kept: Callable[[int], object]) -> None:
        """Read what an earlier run left; more than the file can hold is thrown away."""
        with self._busy:
            descriptor = self._open()
            if os.fstat(descriptor).st_size > self._file.bytes:
                os.ftruncate(descriptor, 0)
            for chunk in disk.read_chunks(descriptor):
                self._hasher.update(chunk)
                self._advance(len(chunk))
                kept(len(chunk))
                if self._closing:
                    return

    def append(self, content: bytes) -> None:
        """Add bytes at the end."""
        with self._busy:
            disk.write_all(self._open(), content)
            self._hasher.update(content)
            self._advance(len(content))

    def restart(self, *, damaged: bool = False) -> None:
        """Throw everything away; where it was damaged, how far it came means nothing."""
        with self._busy:
            descriptor = self._open()
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            self._hasher = self._file.hasher()
            self.offset = 0
            self.reached = 0 if damaged else self.reached

    def checksum(self) -> str:
        """Say the checksum of what is there."""
        return self._hasher.hexdigest()

    def sync(self) -> None:
        """Put the bytes on the disk."""
        with self._busy:
            os.fsync(self._open())

    def close(self) -> None:
        """Close it; waits for a write that still runs in a thread, so that its number is never another file's."""
        self._closing = True
        with self._busy:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _advance(self, count: int) -> None:
        self.offset += count
        self.reached = max(self.reached, self.offset)

    def _open(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"{self._path.name} is closed")
        return self._descriptor
