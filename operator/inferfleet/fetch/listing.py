"""What a hub lists for a commit, and what of it is to be downloaded.

The one rule: pure; a listing is hostile until it is checked here, and a file without size and checksum is not fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from inferfleet.fetch import failures
from inferfleet.fetch.failures import Transient
from inferfleet.fetch.sources import COMMIT, check_path
from inferfleet.fetch.text import plain

MOST_FILES = 50_000
Name = Annotated[str, Field(max_length=4096)]
Size = Annotated[int, Field(ge=0, le=1 << 50)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sha1 = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class Hasher(Protocol):
    """What hashlib makes."""

    def update(self, content: bytes, /) -> None:
        """Take in more."""

    def hexdigest(self) -> str:
        """Say the checksum of all so far."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a commit, by its path below the source's root; `remote` is its path in the repository."""

    path: str
    remote: str
    size: int | None
    sha256: str = ""
    sha1: str = ""
    """Name of its Git blob: how a hub identifies small files."""

    @property
    def bytes(self) -> int:
        """Its size; a file whose size nobody knows is refused before anyone asks."""
        return self.size or 0

    @property
    def provable(self) -> bool:
        """Whether what arrives can be checked."""
        return self.size is not None and bool(self.sha256 or self.sha1)

    @property
    def expected(self) -> str:
        """The checksum that it must have."""
        return self.sha256 or self.sha1

    def hasher(self) -> Hasher:
        """Start the checksum that `expected` is of."""
        if self.sha256:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.bytes, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """A commit and its files."""

    commit: str
    files: tuple[RemoteFile, ...]
    licence: str = ""
    gated: bool = False

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files)


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class _Lfs(_Told):
    sha256: Sha256 | None = None
    oid: Sha256 | None = None
    size: Size | None = None


class _Sibling(_Told):
    rfilename: Name
    size: Size | None = None
    blob_id: Sha1 | None = None
    lfs: _Lfs | None = None


class _Model(_Told):
    sha: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    gated: bool | Annotated[str, Field(max_length=32)] | None = False
    card_data: dict[str, Any] | None = None
    siblings: Annotated[tuple[_Sibling, ...], Field(max_length=MOST_FILES)] | None = None


def parse_listing(body: bytes) -> Listing:
    """Read the hub's answer about a revision."""
    try:
        told = _Model.model_validate_json(body)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the body"
        raise Transient("busy", f"it sent no listing that can be read, see {plain(where, 80)}") from error
    files = tuple(_remote(one) for one in told.siblings or ())
    return Listing(told.sha, files, _licence(told.card_data or {}), bool(told.gated))


def check_commit(listing: Listing, revision: str) -> Listing:
    """Return the listing, unless a commit was asked for and another one is described."""
    if COMMIT.match(revision) and listing.commit != revision:
        raise Transient("busy", f"it described commit {listing.commit} when {revision} was asked for")
    return listing


def within(listing: Listing, what: str, folder: str) -> Listing:
    """Keep the files of a folder, with paths below it, each of them safe to write; there must be one."""
    files = [file for file in listing.files if not folder or file.remote.startswith(f"{folder}/")]
    if not listing.files:
        raise failures.empty(what)
    if not files:
        raise failures.no_folder(what, folder, tuple(sorted({file.remote.split("/")[0] for file in listing.files})))
    strip = len(folder) + 1 if folder else 0
    kept = tuple(replace(file, path=check_path(file.remote[strip:])) for file in files)
    _check_together(file.path for file in kept)
    return replace(listing, files=kept)


def _check_together(paths: Iterable[str]) -> None:
    known: set[str] = set()
    for path in paths:
        if path in known:
            raise failures.unusable(f"The source lists {plain(path, 200)!r} twice", "Use a source without it.")
        known.add(path)
    for path in known:
        if any(parent in known for parent in _parents(path)):
            raise failures.unusable(
                f"The source lists {plain(path, 200)!r} below a file of that name", "Use a source without it."
            )


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _remote(told: _Sibling) -> RemoteFile:
    lfs = told.lfs
    if lfs is None:
        return RemoteFile(told.rfilename, told.rfilename, told.size, sha1=told.blob_id or "")
    size = told.size if told.size is not None else lfs.size
    return RemoteFile(told.rfilename, told.rfilename, size, sha256=lfs.sha256 or lfs.oid or "")


def _licence(card: dict[str, Any]) -> str:
    named = card.get("license")
    if named == "other" and isinstance(card.get("license_name"), str):
        named = card["license_name"]
    many = named if isinstance(named, list) else [named]
    return plain(", ".join(one for one in many if isinstance(one, str)), 253)
