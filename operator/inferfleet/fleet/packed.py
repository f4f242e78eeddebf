"""JSON objects that are kept for long and looked at rarely: as the bytes that they are on the wire.

The one rule: what was packed is never changed; a decoded object takes five times the memory of its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from inferfleet.api.base import Json


class Packed(Mapping[str, Any]):
    """A JSON object as bytes; every look decodes it anew, so that `unpacked` is for more than one look."""

    __slots__ = ("_bytes",)

    def __init__(self, content: Json) -> None:
        """Take a JSON object in."""
        # A copy: the encoder's own bytes keep the room that it worked in, several times their length.
        self._bytes = bytes(memoryview(orjson.dumps(content)))

    def unpacked(self) -> Json:
        """Decode it; the caller may do with it as he likes."""
        found: Json = orjson.loads(self._bytes)
        return found

    def __eq__(self, other: object) -> bool:
        return self._bytes == other._bytes if isinstance(other, Packed) else self.unpacked() == other

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - any JSON value
        return self.unpacked()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.unpacked())

    def __len__(self) -> int:
        return len(self.unpacked())
