"""Writing so that a crash leaves nothing half done, and so that no link leads a write astray.

The one rule: a name appears only when its content is on the disk; functions block and run in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20
FILE_MODE = 0o644
DIRECTORY_MODE = 0o755


@dataclass(frozen=True, slots=True)
class Volume:
    """Room on the file system that holds a path."""

    capacity: int
    free: int


def measure(path: Path, size_limit: int) -> Volume:
    """Measure the room; a limit below the file system's own counts what lies under the path."""
    seen = os.statvfs(path)
    capacity, free = seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize
    if not size_limit or size_limit >= capacity:
        return Volume(capacity, free)
    return Volume(size_limit, max(0, min(free, size_limit - _used(path))))


def make_directories(root: Path, below: str = "") -> None:
    """Make `root/below`, each part a real directory that anyone can search."""
    current = root
    _make(current)
    for part in Path(below).parts:
        current /= part
        _make(current)


def open_file(path: Path) -> int:
    """Open a file for reading and writing, made if it is missing; never through a link."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, FILE_MODE)
    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    if regular:
        with contextlib.suppress(PermissionError):  # another user's file: it is readable or it is not
            os.fchmod(descriptor, FILE_MODE)
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "Not a regular file")


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under another name, then give it its own; both survive a power cut."""
    fresh = path.with_name(f"{path.name}.partial")
    descriptor = open_file(fresh)
    try:
        os.ftruncate(descriptor, 0)
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.rename(path)
    sync_directory(path.parent)


def publish(fresh: Path, root: Path, path: str) -> None:
    """Give a whole file its own name below the root."""
    target = root / path
    fresh.rename(target)
    sync_directory(target.parent)


def remove(path: Path) -> None:
    """Remove a file, a link or a directory with all that it holds; nothing when there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_chunks(descriptor: int) -> Iterator[bytes]:
    """Read a file from its start, in bounded pieces."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    while chunk := os.read(descriptor, CHUNK):
        yield chunk


def read_bounded(path: Path, limit: int) -> bytes:
    """Read a small file, at most one byte more than the limit, so that the reader can see that it is too large."""
    with path.open("rb") as content:
        return content.read(limit + 1)


def sync_directory(path: Path) -> None:
    """Put the names in a directory on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


def _make(path: Path) -> None:
    try:
        path.mkdir(DIRECTORY_MODE, parents=False)
    except FileExistsError:
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise OSError(errno.ENOTDIR, "A link or a file stands where a directory should be") from None
    else:
        path.chmod(DIRECTORY_MODE)
        sync_directory(path.parent)


def _used(path: Path) -> int:
    walk = ((root, name) for root, _, names in os.walk(path) for name in names)
    return sum((Path(root) / name).lstat().st_blocks * 512 for root, name in walk)
