"""Errors have three meanings: the user must act, the world must act, or try again.

The message is public: conditions, events and logs show it. Details stay in `__cause__` and never leave the process.
"""

from __future__ import annotations


class InferfleetError(Exception):
    """An error with a reason (CamelCase, API) and a message that may be shown to anyone."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep both parts: `reason` for machines, `message` for people."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class SpecError(InferfleetError):
    """The user must act: `message` names the field, what was found, what is allowed and what to do."""


class NotReadyYet(InferfleetError):  # noqa: N818 - it is no error of anybody's: the world must act
    """The world must act: look again after `retry_after` seconds."""

    def __init__(self, reason: str, message: str, *, retry_after: float = 30.0) -> None:
        """Keep when to look again, in seconds."""
        super().__init__(reason, message)
        self.retry_after = retry_after


class TryAgain(InferfleetError):  # noqa: N818 - as above
    """A call failed and may succeed later: back off and repeat."""


class KubeError(TryAgain):
    """The API server refused or did not answer; `status` is its HTTP status, 0 without an answer."""

    def __init__(self, reason: str, message: str, *, status: int = 0) -> None:
        """Keep the HTTP status, so that callers can tell 404 from 409."""
        super().__init__(reason, message)
        self.status = status


class TritonError(TryAgain):
    """A model server refused or did not answer."""


class FetchError(InferfleetError):
    """A download failed; `reason` says why in one word and becomes the condition's reason."""
