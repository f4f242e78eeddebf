"""Sending a file: ranges, and what levers do to the bytes on their way.

Rule: without a lever the bytes are the file's, and every answer is counted in the log to the byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from e2e.rig.hub.levers import Kind, Lever
from e2e.rig.hub.log import Entry

CHUNK = 1 << 16
HANG_LOOK_SECONDS = 0.1
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes are asked for: from `start` up to and without `end`, of `size`."""

    start: int
    end: int
    size: int

    @property
    def partial(self) -> bool:
        """Whether it is less than the file."""
        return self.end - self.start < self.size

    def headers(self) -> dict[str, str]:
        """Say it in HTTP."""
        length = {"Content-Length": str(self.end - self.start)}
        if not self.partial:
            return length
        return length | {"Content-Range": f"bytes {self.start}-{self.end - 1}/{self.size}"}


def span(asked: str, size: int) -> Span | None:
    """Read a Range header; None when it lies outside the file, the whole file when there is none to obey."""
    match = _RANGE.fullmatch(asked)
    if match is None:
        return Span(0, size, size)
    start, end = int(match[1]), int(match[2]) + 1 if match[2] else size
    return Span(start, min(end, size), size) if start < min(end, size) else None


@dataclass(frozen=True, slots=True)
class Harm:
    """What the levers make of one answer."""

    stop: int | None = None
    hang: bool = False
    rate: int = 0
    flip: int | None = None

    @classmethod
    def of(cls, levers: Iterable[Lever], part: Span) -> Harm:
        """Put the levers that fit one answer together; the last one of a kind wins."""
        by_kind = {lever.kind: lever for lever in levers}
        stop = None
        if cut := by_kind.get(Kind.CUT):
            stop = max(cut.value, part.start)
        if cut := by_kind.get(Kind.CUT_AFTER) or by_kind.get(Kind.HANG):
            stop = part.start + cut.value
        return cls(
            stop=stop if stop is not None and stop < part.end else None,
            hang=Kind.HANG in by_kind,
            rate=by_kind[Kind.SLOW].value if Kind.SLOW in by_kind else 0,
            flip=part.size // 2 if Kind.CORRUPT_CONTENT in by_kind else None,
        )


@dataclass(slots=True)
class Sending:
    """One answer on its way out."""

    request: web.Request
    blob: Path
    part: Span
    harm: Harm
    entry: Entry

    async def through(self, answer: web.StreamResponse) -> None:
        """Send the bytes as the levers want it; the log entry counts them as they leave."""
        await answer.prepare(self.request)
        with contextlib.suppress(ConnectionError):  # the client went away; the log says how far it came
            for piece in pieces(self.blob, self.part, self.harm):
                await answer.write(piece)
                self.entry.sent += len(piece)
                if self.harm.rate:
                    await asyncio.sleep(len(piece) / self.harm.rate)
            await self._end(answer)

    async def _end(self, answer: web.StreamResponse) -> None:
        transport = self.request.transport
        if self.harm.stop is None:
            await answer.write_eof()
            return
        while self.harm.hang and transport is not None and not transport.is_closing():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(HANG_LOOK_SECONDS)
        if transport is not None:
            transport.close()  # what was written still goes out, then the connection ends short


def pieces(blob: Path, part: Span, harm: Harm) -> Iterator[bytes]:
    """Read the bytes of an answer, up to where a lever stops it."""
    end = part.end if harm.stop is None else harm.stop
    step = min(CHUNK, max(1, harm.rate // 10)) if harm.rate else CHUNK
    with blob.open("rb") as content:
        content.seek(part.start)
        for at in range(part.start, end, step):
            piece = content.read(min(step, end - at))
            if harm.flip is not None and at <= harm.flip < at + len(piece):
                wrong = bytearray(piece)
                wrong[harm.flip - at] ^= 0xFF
                piece = bytes(wrong)
            yield piece
