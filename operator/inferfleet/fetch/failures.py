"""Why a download failed, in words: one reason for each cause, and what to do about it.

The one rule: a message names what was found and what to do, fits a condition, and holds no secret.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Literal

from inferfleet.errors import FetchError
from inferfleet.fetch.text import plain
from inferfleet.fleet.text import size_words

GIB = 1 << 30
PASSING = frozenset({"ConnectionLost", "HubUnavailable", "ChecksumMismatch", "CacheLocked", "Stopped", "InternalError"})
"""Reasons that may pass by themselves; all others last until somebody acts."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked of whom: repeated in every message about a hub."""

    repository: str
    revision: str
    endpoint: str
    """The hub's base address, without credentials."""
    host: str
    token: bool = False
    """A token was sent."""
    gated: bool = False
    """The hub's listing says that a licence must be accepted."""
    secret: str = ""
    """The Secret that the token should come from; empty if none was named."""


class Transient(Exception):  # noqa: N818 - it is no verdict yet: try again
    """A request failed in a way that may pass; `detail` is fit to be shown."""

    def __init__(
        self, kind: Literal["cut", "unreachable", "busy"], detail: str, *, retry_after: float | None = None
    ) -> None:
        """Keep what kind of trouble it was and when the server wants to be asked again."""
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after


def may_pass(reason: str) -> bool:
    """Whether trying again later can succeed without anybody doing anything."""
    return reason in PASSING


def unauthorized(subject: Subject, *, gated: bool = False) -> FetchError:
    """Say that the hub wants a token, or a better one."""
    what = f"{subject.host} answered 401 for {subject.repository}"
    secret = "the Secret that spec.model.secretRef names"  # noqa: S105 - words
    if subject.token:
        text = f"{what}: it does not accept the token. Put a valid token into key HF_TOKEN of {secret}."
    elif subject.secret:
        account = f" of an account that accepted the licence at {_page(subject)}" if gated else ""
        text = f"{what}, and no token was sent: {_no_token(subject)}. Create it with a valid token{account}."
    elif gated:
        text = (
            f"{what}: the model is gated. Accept its licence at {_page(subject)} and set spec.model.secretRef to a "
            "Secret whose key HF_TOKEN is a token of that account."
        )
    else:
        text = (
            f"{what}: without a token it does not say whether the repository is private or does not exist. Check the "
            "name in spec.model.source, or set spec.model.secretRef to a Secret with a token in key HF_TOKEN."
        )
    return FetchError("HubUnauthorized", text)


def forbidden(subject: Subject, said: str) -> FetchError:
    """Say that the hub knows the token and refuses it this repository."""
    return FetchError(
        "HubUnauthorized",
        f"{subject.host} answered 403 for {subject.repository}{_said(said)}. Give the token of spec.model.secretRef "
        "the right to read this repository, or let the proxy or mirror on the way pass it.",
    )


def licence(subject: Subject) -> FetchError:
    """Say that the model is gated and the token's account has not accepted its licence."""
    return FetchError(
        "LicenceNotAccepted",
        f"{subject.repository} is gated and the account of the token has not been let in. Accept the licence at "
        f"{_page(subject)} with that account, wait until access is granted, then try again.",
    )


def no_source(subject: Subject) -> FetchError:
    """Say that there is no such repository, for this token."""
    seen, do = "without a token", ", or set spec.model.secretRef if it is private"
    if subject.token:
        seen, do = "with this token", ""
    elif subject.secret:
        do = f", or if it is private, see to the token: {_no_token(subject)}"
    return FetchError(
        "SourceNotFound",
        f"{subject.host} has no repository {subject.repository} that can be seen {seen} (404). "
        f"Correct spec.model.source{do}.",
    )


def no_revision(subject: Subject) -> FetchError:
    """Say that the repository has no such branch, tag or commit."""
    return FetchError(
        "RevisionNotFound",
        f"{subject.repository} on {subject.host} has no branch, tag or commit {subject.revision!r}. Set "
        f"spec.model.revision to one of those at {_page(subject)}.",
    )


def no_file(subject: Subject, path: str) -> FetchError:
    """Say that a file of the listing is not there."""
    return FetchError(
        "FileNotFound",
        f"{subject.repository} at {subject.revision} has no {plain(path, 200)!r} on {subject.host} (404). Check the "
        "folder in spec.model.source; if the mirror is incomplete, let it fetch the file again.",
    )


def no_folder(what: str, folder: str, there: tuple[str, ...]) -> FetchError:
    """Say that the source has no such folder, and what it has."""
    shown = plain(", ".join(there[:10]), 300) or "nothing"
    return FetchError("FileNotFound", f"{what} has no folder {folder!r}; it has {shown}. Correct spec.model.source.")


def empty(what: str) -> FetchError:
    """Say that there is nothing to serve."""
    return FetchError("SourceEmpty", f"{what} holds no file. Upload the model there, or correct spec.model.source.")


def checksum(path: str, expected: str, found: str) -> FetchError:
    """Say that what arrived is not what the hub lists."""
    return FetchError(
        "ChecksumMismatch",
        f"{plain(path, 200)!r} has checksum {found}, the hub lists {expected}. The file was removed and the next "
        "attempt fetches it anew; if it fails again, the hub or the mirror serves a damaged file.",
    )


def size_mismatch(path: str, expected: int, found: str) -> FetchError:
    """Say that more or less arrived than the hub lists."""
    return FetchError(
        "ChecksumMismatch",
        f"{plain(path, 200)!r} has {found} bytes, the hub lists {expected}. The file was removed and the next attempt "
        "fetches it anew; if it fails again, the hub or the mirror serves a damaged file.",
    )


def unlisted(subject: Subject, path: str) -> FetchError:
    """Say that the hub tells no size or checksum, so that nothing could be proven about the file."""
    return FetchError(
        "ListingIncomplete",
        f"{subject.host} tells no size or checksum of {plain(path, 200)!r}. Use a hub or mirror that answers "
        "/api/models/.../revision/...?blobs=true in full.",
    )


def disk_full(needed: int, free: int, capacity: int) -> FetchError:
    """Say that the cache is too small; `needed` bytes are still to come."""
    wanted = -(-(capacity - free + needed) * 105 // (100 * GIB))
    return FetchError(
        "DiskFull",
        f"{size_words(needed)} are still to be written and {size_words(free)} are free in the cache volume. Set "
        f"spec.cache.size to at least {wanted}Gi, enlarge the claim to that, or remove what else lies in it.",
    )


def from_disk(error: OSError, doing: str, full: FetchError) -> FetchError:
    """Translate what the file system said while `doing`; `full` is the error if it was for want of space."""
    if error.errno in _FULL:
        return full
    return FetchError(
        "CacheUnwritable",
        f"The cache volume refused {doing}: {plain(error.strerror or type(error).__name__, 100)}. Check that the "
        "volume is mounted writable for the pod's user and is healthy.",
    )


def given_up(trouble: Transient, subject: Subject, attempts: int, kept: int) -> FetchError:
    """Say that the network or the hub failed too often in a row."""
    if trouble.kind == "cut":
        on = f"{size_words(kept)} of the file are kept, and the next attempt goes on from there. " if kept else ""
        return FetchError(
            "ConnectionLost",
            f"The connection was lost {attempts} times in a row without a new byte ({trouble.detail}). "
            f"{on}Check the network to {subject.host}.",
        )
    do = "Try again later, or use a mirror." if trouble.kind == "busy" else _REACH
    return FetchError("HubUnavailable", f"{subject.host} failed {attempts} times in a row ({trouble.detail}). {do}")


def tls(host: str, why: str) -> FetchError:
    """Say that the server could not prove who it is, or speaks no TLS that we do."""
    return FetchError(
        "TlsError",
        f"No trusted connection to {host}: {plain(why, 200)}. If it is signed by a private authority, put that "
        "authority's certificate into key ca.crt of the Secret that spec.model.secretRef names.",
    )


def ca_file(why: str) -> FetchError:
    """Say that the further trust anchors cannot be read."""
    return FetchError(
        "TlsError", f"ca.crt holds no readable PEM certificates: {plain(why, 200)}. Correct key ca.crt of the Secret."
    )


def redirect(host: str, why: str) -> FetchError:
    """Say that a hub sent us where we do not go."""
    return FetchError(
        "RedirectRefused", f"{host} redirects {why}, which is refused. Correct the hub's or the mirror's configuration."
    )


def claim_unreadable(what: str, why: str) -> FetchError:
    """Say that the claim, or a file in it, cannot be read by the pod's user."""
    return FetchError(
        "ClaimUnreadable",
        f"{what} cannot be read: {plain(why, 200)}. Make every file readable and every directory searchable for "
        "any user (chmod -R a+rX), with no link that leads out of the claim.",
    )


def unusable(what: str, do: str) -> FetchError:
    """Say that the source holds what nobody can serve."""
    return FetchError("SourceUnusable", f"{what}. {do}")


_REACH = "Check the hub's address, the proxy, DNS, and that the download's egress to it is allowed."


def _page(subject: Subject) -> str:
    return f"{subject.endpoint}/{subject.repository}"


def _no_token(subject: Subject) -> str:
    return f"Secret {subject.secret}, or its key HF_TOKEN, does not exist or is empty"


def _said(said: str) -> str:
    return f' ("{said}")' if said else ""
