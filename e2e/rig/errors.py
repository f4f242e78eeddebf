"""What goes wrong in the rig. Every message says what to do or where to look."""

from __future__ import annotations


class RigError(Exception):
    """The rig cannot do what was asked; the message is for the person at the terminal."""


class CommandError(RigError):
    """A program that the rig ran failed; the message holds its command line and the end of its output."""


class ApiError(RigError):
    """The API server answered with an error status, which `code` keeps."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
