"""The hub's repositories on disk: content by its checksum, commits that never change, names that move.

Rule: a commit is a hash of what it holds, so publishing the same directory twice gives the same commit.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

LFS_BYTES = 1 << 20
CHUNK = 1 << 20
_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a commit; large ones are kept as the hub keeps them, behind a small pointer."""

    path: str
    size: int
    sha256: str
    oid: str

    @property
    def large(self) -> bool:
        """Whether the hub would keep it in its large file store."""
        return self.size >= LFS_BYTES

    @property
    def pointer_size(self) -> int:
        """How long the pointer in Git is."""
        return len(_POINTER.format(sha256=self.sha256, size=self.size))

    @property
    def etag(self) -> str:
        """What the hub says identifies the content."""
        return self.sha256 if self.large else self.oid


@dataclass(frozen=True)
class Snapshot:
    """One commit."""

    commit: str
    files: tuple[File, ...]

    @cached_property
    def by_path(self) -> dict[str, File]:
        """Find files by their path."""
        return {file.path: file for file in self.files}


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as its owner sees it: who may read it, under which licence, what its names mean."""

    name: str
    license: str = "apache-2.0"
    gated: str = ""
    private: bool = False
    refs: dict[str, str] = field(default_factory=dict)
    commits: tuple[str, ...] = ()


class Store:
    """All repositories under one root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def publish(self, repository: Repository, directory: Path, ref: str = "main") -> str:
        """Commit a directory and let the name point at it; other names of the repository stay."""
        if not _NAME.fullmatch(repository.name):
            raise ValueError(f"{repository.name!r} is not of the form owner/name")
        files = tuple(self._take(directory, path) for path in sorted(_files(directory)))
        commit = _commit(files)
        self._write(self._commit_path(commit), [asdict(file) for file in files])
        known = self.repository(repository.name)
        refs = {**(known.refs if known else {}), ref: commit}
        commits = tuple(dict.fromkeys((*(known.commits if known else ()), commit)))
        self._write(self._repository_path(repository.name), asdict(replace(repository, refs=refs, commits=commits)))
        return commit

    def move(self, name: str, ref: str, commit: str) -> None:
        """Point a branch or tag at a commit that exists."""
        known = self.repository(name)
        if known is None or commit not in known.commits:
            raise KeyError(f"no {name} with commit {commit}")
        self._write(self._repository_path(name), asdict(replace(known, refs={**known.refs, ref: commit})))

    def repositories(self) -> Iterator[Repository]:
        """List everything."""
        for path in sorted((self._root / "repositories").glob("*/*.json")):
            yield _read(path)

    def repository(self, name: str) -> Repository | None:
        """Find a repository by owner/name."""
        path = self._repository_path(name)
        if not _NAME.fullmatch(name) or not path.exists():
            return None
        return _read(path)

    def snapshot(self, repository: Repository, revision: str) -> Snapshot | None:
        """Resolve a branch, a tag or a commit of this repository."""
        commit = repository.refs.get(revision) or (revision if revision in repository.commits else None)
        if commit is None:
            return None
        return Snapshot(commit, tuple(File(**one) for one in json.loads(self._commit_path(commit).read_text())))

    def blob(self, file: File) -> Path:
        """Say where the bytes lie."""
        return self._root / "blobs" / file.sha256

    def _take(self, directory: Path, path: Path) -> File:
        sha256, oid, size = _hashes(path)
        if size >= LFS_BYTES:
            oid = _git_oid(_POINTER.format(sha256=sha256, size=size).encode())
        file = File(path.relative_to(directory).as_posix(), size, sha256, oid)
        if not self.blob(file).exists():
            self.blob(file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self.blob(file))  # not a link: who wrote the directory may go on writing
        return file

    def _repository_path(self, name: str) -> Path:
        return self._root / "repositories" / f"{name}.json"

    def _commit_path(self, commit: str) -> Path:
        return self._root / "commits" / f"{commit}.json"

    def _write(self, path: Path, content: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(content, indent=1))
        fresh.rename(path)


def _read(path: Path) -> Repository:
    kept = json.loads(path.read_text())
    return Repository(**kept | {"commits": tuple(kept["commits"])})


def _files(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        if path.is_file():
            yield path


def _hashes(path: Path) -> tuple[str, str, int]:
    size = path.stat().st_size
    sha256, oid = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            sha256.update(chunk)
            oid.update(chunk)
    return sha256.hexdigest(), oid.hexdigest(), size


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()


def _commit(files: tuple[File, ...]) -> str:
    tree = "".join(f"{file.path}\0{file.sha256}\n" for file in files).encode()
    return hashlib.sha1(b"commit %d\0%s" % (len(tree), tree), usedforsecurity=False).hexdigest()
