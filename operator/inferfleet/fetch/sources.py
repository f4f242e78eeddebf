"""Sources and paths, taken apart: `hf://ORG/REPOSITORY[/FOLDER]` and `pvc://CLAIM[/FOLDER]`.

The one rule: nothing that came from outside becomes a path or a part of a URL without passing here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inferfleet.errors import FetchError
from inferfleet.fetch.text import plain

COMMIT = re.compile(r"[0-9a-f]{40}\Z")
PATH_BYTES = 1024
NAME_BYTES = 255
RESERVED = ".inferfleet-"
PATTERN = (
    r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]*)*"
    r"|pvc://[a-z0-9]([a-z0-9-]*[a-z0-9])?(/[A-Za-z0-9_][A-Za-z0-9._-]*)*)$"
)
"""What the API allows, said again: importing the API's models would take a third of the time of a run that finds its
marker. A test keeps both the same."""
_SOURCE = re.compile(PATTERN)
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository of a Hugging Face hub, or a folder of it (empty: all of it)."""

    repository: str
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ClaimSource:
    """A claim of the model's namespace, or a folder of it (empty: all of it)."""

    claim: str
    folder: str = ""


Source = HubSource | ClaimSource


def parse_source(text: str) -> Source:
    """Take a source apart, or say what is allowed."""
    if len(text) > 512 or not _SOURCE.match(text) or text.endswith("\n"):
        raise FetchError(
            "SourceInvalid",
            f"spec.model.source is {plain(text, 100)!r}; allowed are hf://ORG/REPOSITORY[/FOLDER] and pvc://CLAIM[/FOLDER].",
        )
    scheme, _, rest = text.partition("://")
    parts = rest.split("/")
    if scheme == "hf":
        return HubSource("/".join(parts[:2]), "/".join(parts[2:]))
    return ClaimSource(parts[0], "/".join(parts[1:]))


def check_revision(text: str) -> str:
    """Return the revision, `main` for an empty one, or say what is allowed."""
    if text and (not _REVISION.match(text) or ".." in text):
        raise FetchError(
            "RevisionNotFound",
            f"spec.model.revision is {plain(text, 100)!r}; it must be the name of a branch or tag, or a commit.",
        )
    return text or "main"


def last_name(source: Source) -> str:
    """Name a source that is one bare model directory: its last part."""
    whole = source.repository if isinstance(source, HubSource) else source.claim
    return (source.folder or whole).rsplit("/", 1)[-1]


def check_path(path: str) -> str:
    """Return a path of a listing if it stays below its root and is no name of ours; else refuse the source."""
    problem = _problem(path)
    if problem:
        raise FetchError(
            "PathRefused",
            f"The source lists a file {plain(path, 100)!r} whose name {problem}; nothing was written for it. "
            "Use a source without it.",
        )
    return path


def _problem(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/"):
        return "is absolute"
    if _CONTROL.search(path) or "\\" in path:
        return "holds a control character or a backslash"
    if not path or any(part in {"", ".", ".."} for part in parts):
        return "holds an empty part, '.' or '..'"
    if len(path.encode()) > PATH_BYTES or any(len(part.encode()) > NAME_BYTES for part in parts):
        return "is too long"
    if parts[0].startswith(RESERVED):
        return f"begins with {RESERVED}, which is ours"
    return ""
