"""One writer for each commit: a file lock that the kernel frees when its holder dies.

The one rule: whoever waits looks again at the marker afterwards; the holder may have finished the work.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from inferfleet.errors import FetchError
from inferfleet.fetch.world import World

LOOK_SECONDS = 1.0


def open_lock(path: Path) -> int:
    """Open the file that is locked."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


@asynccontextmanager
async def held(descriptor: int, world: World, patience: float, waiting: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock while the block runs, then close it; call `waiting` each time it is still another's."""
    try:
        deadline = world.clock() + patience
        while not take(descriptor):
            if world.clock() >= deadline:
                raise FetchError(
                    "CacheLocked",
                    f"Another download of the same commit has held the cache's lock for {patience:.0f} s. Look at that "
                    "download; when its pod ends, the lock is free.",
                )
            await asyncio.to_thread(waiting)
            await world.sleep(LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def take(descriptor: int) -> bool:
    """Take the lock without waiting; False when another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise FetchError(
            "CacheUnwritable",
            f"The cache volume knows no file locks ({error.strerror}), so two downloads could not be told apart. Use "
            "a volume with working locks (NFS: a running lock service, or the mount option nolock).",
        ) from error
    return True
