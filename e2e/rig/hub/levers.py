"""The hub's levers: what goes wrong, for which repository and file, how often.

Rule: without a lever the hub behaves; a lever that is used up is gone, so that a test can say "once".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from fnmatch import fnmatchcase


class Kind(StrEnum):
    """What a lever does; `value` means what stands behind the name."""

    SLOW = "slow"  # bytes per second of each answer
    CUT = "cut"  # the connection closes before this byte of the file, also when a resume starts behind it
    CUT_AFTER = "cut-after"  # the connection closes after so many bytes of each answer
    HANG = "hang"  # the answer stops after so many bytes and the connection stays open
    CORRUPT_CONTENT = "corrupt-content"  # one byte in the middle is wrong, checksums are right
    CORRUPT_SHA = "corrupt-sha"  # the content is right, the advertised checksum is wrong
    UNAUTHORIZED = "unauthorized"
    GATED = "gated"
    NO_REPOSITORY = "no-repository"
    NO_REVISION = "no-revision"
    NO_FILE = "no-file"
    SERVER_ERROR = "server-error"
    RATE_LIMIT = "rate-limit"  # seconds in Retry-After


REFUSALS = frozenset(
    {
        Kind.UNAUTHORIZED,
        Kind.GATED,
        Kind.NO_REPOSITORY,
        Kind.NO_REVISION,
        Kind.NO_FILE,
        Kind.SERVER_ERROR,
        Kind.RATE_LIMIT,
    }
)
TRANSFERS = frozenset({Kind.SLOW, Kind.CUT, Kind.CUT_AFTER, Kind.HANG, Kind.CORRUPT_CONTENT})


@dataclass(frozen=True, slots=True)
class Lever:
    """One thing that goes wrong; `times` 0 means until it is taken away."""

    kind: Kind
    value: int = 0
    repository: str = "*"
    path: str = "*"
    times: int = 0

    def fits(self, repository: str, path: str) -> bool:
        """Whether it is meant for this file; calls that name no file have an empty path."""
        return fnmatchcase(repository, self.repository) and fnmatchcase(path, self.path)


def parse(given: Mapping[str, object]) -> Lever:
    """Read a lever from JSON, refusing what it does not know."""
    known = {one.name for one in fields(Lever)}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"unknown: {', '.join(unknown)}; a lever has {', '.join(sorted(known))}")
    return Lever(
        kind=Kind(str(given.get("kind", ""))),
        value=int(str(given.get("value", 0))),
        repository=str(given.get("repository", "*")),
        path=str(given.get("path", "*")),
        times=int(str(given.get("times", 0))),
    )


class Board:
    """The levers that are set, oldest first."""

    def __init__(self) -> None:
        self._set: dict[int, Lever] = {}
        self._last = 0

    def __iter__(self) -> Iterator[tuple[int, Lever]]:
        return iter(list(self._set.items()))

    def pull(self, lever: Lever) -> int:
        """Set a lever and return its number."""
        self._last += 1
        self._set[self._last] = lever
        return self._last

    def release(self, number: int | None = None) -> None:
        """Take one lever away, or all of them."""
        if number is None:
            self._set.clear()
        self._set.pop(number or 0, None)

    def take(self, kinds: frozenset[Kind], repository: str, path: str) -> list[Lever]:
        """Use every lever of these kinds that fits, and count the use."""
        used = [(number, lever) for number, lever in self if lever.kind in kinds and lever.fits(repository, path)]
        for number, lever in used:
            if lever.times == 1:
                self.release(number)
            elif lever.times > 1:
                self._set[number] = replace(lever, times=lever.times - 1)
        return [lever for _, lever in used]
