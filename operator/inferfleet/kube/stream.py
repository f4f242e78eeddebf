"""A watch as it comes off the socket: chunks of bytes become events.

The one rule: no event is cut, none is dropped, and no line makes us keep more than its bound.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from inferfleet.errors import KubeError

LINE_BYTES = 2 * 1024 * 1024


async def lines(chunks: AsyncIterator[bytes], bound: int = LINE_BYTES) -> AsyncIterator[bytes]:
    """Split a stream into lines; what stands after the last line end was cut off and is forgotten."""
    parts: list[bytes] = []
    kept = 0
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for index, piece in enumerate(whole):
            line = b"".join([*parts, piece]) if index == 0 else piece
            if line:
                yield line
        if whole:
            parts, kept = [], 0
        parts.append(rest)
        kept += len(rest)
        if kept > bound:
            raise KubeError("EventTooLarge", f"An event of a watch is larger than {bound} bytes.")
