"""What the hub says: the JSON of its API and its refusals, header for header.

Rule: pure; the words and codes are those that the Hugging Face hub sends, because clients match on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from e2e.rig.hub.levers import Kind, Lever
from e2e.rig.hub.store import File, Repository, Snapshot

INVALID_TOKEN = "Invalid credentials in Authorization header"  # noqa: S105 - a message, not a token
LOGIN = "Access to model {} is restricted. You must have access to it and be authenticated to access it."
GATE = "Access to model {} is restricted and you are not in the authorized list. Visit its page to ask for access."


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer: status, the code that clients match on, the sentence for people."""

    status: int
    message: str
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        """Put code and message where the hub puts them."""
        coded = {"X-Error-Code": self.code} if self.code else {}
        return {**coded, "X-Error-Message": self.message, **self.headers}


def no_repository(*, known_user: bool) -> Refusal:
    """Hide whether a repository is missing or private; only a known user gets a 404."""
    if known_user:
        return Refusal(404, "Repository not found", "RepoNotFound")
    return Refusal(401, "Invalid username or password.", "RepoNotFound")


def gated(name: str, *, known_user: bool) -> Refusal:
    """Refuse, because the licence was not accepted or nobody knows by whom."""
    text = (GATE if known_user else LOGIN).format(name)
    return Refusal(403 if known_user else 401, text, "GatedRepo")


def no_revision(revision: str) -> Refusal:
    """Refuse, because no branch, tag or commit has that name."""
    return Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def no_file() -> Refusal:
    """Refuse, because the commit has no such file."""
    return Refusal(404, "Entry not found", "EntryNotFound")


def pulled(lever: Lever, name: str, revision: str) -> Refusal:
    """Refuse as a lever wants it."""
    wait = str(lever.value)
    refusals = {
        Kind.UNAUTHORIZED: Refusal(401, INVALID_TOKEN),
        Kind.GATED: gated(name, known_user=True),
        Kind.NO_REPOSITORY: no_repository(known_user=True),
        Kind.NO_REVISION: no_revision(revision),
        Kind.NO_FILE: no_file(),
        Kind.SERVER_ERROR: Refusal(500, "Internal Error - We're working hard to fix this as soon as possible!"),
        Kind.RATE_LIMIT: Refusal(
            429,
            "We had to rate limit you, please retry later.",
            headers={"Retry-After": wait, "RateLimit": f'"resolvers";r=0;t={wait}'},
        ),
    }
    return refusals[lever.kind]


def info(repository: Repository, snapshot: Snapshot, *, blobs: bool, wrong: frozenset[str]) -> dict[str, object]:
    """Describe a revision; `blobs` adds sizes and checksums, `wrong` names files whose checksum shall lie."""
    return {
        "_id": snapshot.commit[:24],
        "id": repository.name,
        "modelId": repository.name,
        "author": repository.name.split("/")[0],
        "sha": snapshot.commit,
        "private": repository.private,
        "gated": repository.gated or False,
        "disabled": False,
        "tags": [f"license:{repository.license}"],
        "cardData": {"license": repository.license},
        "siblings": [_sibling(file, blobs=blobs, wrong=file.path in wrong) for file in snapshot.files],
    }


def tree(snapshot: Snapshot, wrong: frozenset[str]) -> list[dict[str, object]]:
    """List all files of a commit, as the tree call does when asked to recurse."""
    entries: list[dict[str, object]] = []
    for file in snapshot.files:
        lie = file.path in wrong
        oid = file.oid if file.large else told(file, wrong=lie)
        entry: dict[str, object] = {"type": "file", "oid": oid, "size": file.size, "path": file.path}
        if file.large:
            lfs = {"oid": told(file, wrong=lie), "size": file.size, "pointerSize": file.pointer_size}
            entry["lfs"] = lfs
        entries.append(entry)
    return entries


def file_headers(snapshot: Snapshot, file: File, *, wrong: bool) -> dict[str, str]:
    """Make the headers that describe a file before its bytes."""
    etag = f'"{told(file, wrong=wrong)}"'
    headers = {"ETag": etag, "X-Repo-Commit": snapshot.commit, "Accept-Ranges": "bytes"}
    if file.large:
        headers |= {"X-Linked-Size": str(file.size), "X-Linked-ETag": etag}
    return headers


def told(file: File, *, wrong: bool) -> str:
    """Choose the checksum that is told: the true one, or its mirror image."""
    return file.etag[::-1] if wrong else file.etag


def _sibling(file: File, *, blobs: bool, wrong: bool) -> dict[str, object]:
    if not blobs:
        return {"rfilename": file.path}
    checksum = told(file, wrong=wrong)
    if not file.large:
        return {"rfilename": file.path, "size": file.size, "blobId": checksum}
    lfs = {"sha256": checksum, "size": file.size, "pointerSize": file.pointer_size}
    return {"rfilename": file.path, "size": file.size, "blobId": file.oid, "lfs": lfs}
