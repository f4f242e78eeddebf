"""What an error means for a key: wait for the world, or try again with backoff.

The one rule: only this module reads the error hierarchy, and nothing escapes a beat.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from inferfleet.errors import InferfleetError, KubeError, NotReadyYet
from inferfleet.fleet.text import public

TERMINATING = "being terminated"
LONGEST = 512
OF_ONE_OBJECT = frozenset({400, 403, 404, 409, 413, 422, 500})
"""What the API server and its webhooks answer when one object, and not the server, is the matter."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`after`: seconds until the key is looked at again; None: with backoff."""

    reason: str
    message: str
    after: float | None = None
    is_worth_telling: bool = False


def verdict(error: Exception) -> Verdict:
    """Say what an error of a beat means."""
    if isinstance(error, NotReadyYet):
        return Verdict(error.reason, error.message, after=error.retry_after, is_worth_telling=True)
    if isinstance(error, KubeError):
        return _of_kube(error)
    if isinstance(error, InferfleetError):
        return Verdict(error.reason, error.message, is_worth_telling=True)
    if isinstance(error, asyncio.TimeoutError):
        return Verdict("Timeout", "The beat took too long.")
    return Verdict("InternalError", f"The operator failed with {type(error).__name__}; its log says where.")


def concerns_one_object(error: InferfleetError) -> bool:
    """Tell whether an error says nothing of other objects, so that these may still be written."""
    if isinstance(error, KubeError):
        return error.status in OF_ONE_OBJECT and TERMINATING not in error.message
    return isinstance(error, NotReadyYet)


def _of_kube(error: KubeError) -> Verdict:
    """Conflicts and overload pass by themselves; what the API server refuses for good is told."""
    if error.status == 403 and TERMINATING in error.message:
        return Verdict("NamespaceTerminating", "The namespace is being deleted.", after=30.0)
    refused = error.status in (400, 403, 413, 422)
    reason = "Forbidden" if _lacks_right(error) else "ChildRefused" if refused else error.reason
    # A webhook says what it likes, and may quote what it refuses.
    return Verdict(reason, public(error.message, LONGEST), is_worth_telling=refused)


def _lacks_right(error: KubeError) -> bool:
    """Tell a missing right from what admission answers with the same status: quotas, policies, webhooks."""
    of_admission = " denied the request" in error.message or (
        "is forbidden: " in error.message and " cannot " not in error.message
    )
    return error.status == 403 and not of_admission
