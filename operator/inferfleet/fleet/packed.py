"""JSON objects that are kept for long and looked at rarely: as compressed bytes.

The one rule: what was packed is never changed. A decoded object takes ten times the memory, and each is looked at only
when something about it changed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from inferfleet.api.base import Json

FAST = 1


class Packed(Mapping[str, Any]):
    """A JSON object as bytes; every look decodes it anew, so that `unpacked` is for more than one look."""

    __slots__ = ("_bytes",)

    def __init__(self, content: Json) -> None:
        """Take a JSON object in."""
        self._bytes = zlib.compress(orjson.dumps(content), FAST)

    def unpacked(self) -> Json:
        """Decode it; the caller may do with it as he likes."""
        found: Json = orjson.loads(zlib.decompress(self._bytes))
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
