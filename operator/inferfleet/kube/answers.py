"""What an answer of the API server means to us: an error with a public message, or none.

The one rule: a message shows what the API server said about the request and never a value that was in it.
"""

from __future__ import annotations

import re

import orjson

from inferfleet.api.base import Json
from inferfleet.errors import KubeError

MESSAGE_LIMIT = 512
VERSION_TOO_LARGE = "ResourceVersionTooLarge"
_DEFAULT_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 30.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
# How the API server's validation names a value: `Invalid value: "x": must be ...`.
_VALUE = re.compile(r"^(?P<what>(?:Invalid|Duplicate|Unsupported) value|Not found): (?P<rest>.*)$", re.DOTALL)
_QUOTED = re.compile(r'^"(?:[^"\\]|\\.)*"(?:: )?', re.DOTALL)


def error_of(status: int, body: bytes) -> KubeError:
    """Read the error in an answer that is not a success."""
    return error_from(parse_status(body), status)


def error_from(answer: Json, status: int) -> KubeError:
    """Make an error of a Status object, as answers and ERROR events of a watch carry it."""
    code = answer.get("code")
    number = code if isinstance(code, int) else status
    reason = answer.get("reason") or f"Http{number}"
    if any(cause.get("reason") == VERSION_TOO_LARGE for cause in causes_of(answer)):
        reason = VERSION_TOO_LARGE
    message = _public_message(answer, number)
    return KubeError(str(reason), message, status=number)


def parse_status(body: bytes) -> Json:
    """Decode a Status; anything else, such as a proxy's page, tells us nothing that we may repeat."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def causes_of(answer: Json) -> list[Json]:
    """List the causes in a Status, which name fields and machine-readable reasons."""
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []


def retry_after(header: str | None) -> float:
    """Read how many seconds the API server asks us to stay away, between 0 and 30."""
    try:
        seconds = float(header) if header else _DEFAULT_RETRY_SECONDS
    except ValueError:
        return _DEFAULT_RETRY_SECONDS
    return min(max(seconds, 0.0), _LONGEST_RETRY_SECONDS)


def _public_message(answer: Json, status: int) -> str:
    causes = causes_of(answer) if answer.get("reason") == "Invalid" else []
    told = "; ".join(dict.fromkeys(map(_without_value, causes))) if causes else str(answer.get("message") or "")
    clean = _CONTROL.sub(" ", told).strip() or f"The API server answered {status}."
    return clean if len(clean) <= MESSAGE_LIMIT else clean[: MESSAGE_LIMIT - 1] + "…"


def _without_value(cause: Json) -> str:
    """Tell field and rule of a refused value: the value itself may be a whole pod template with a secret in its env."""
    field, message = str(cause.get("field") or "object"), str(cause.get("message") or "")
    found = _VALUE.match(message)
    if found is None:
        return f"{field}: {message}"
    what, rest = found["what"], found["rest"]
    # A value that is no string is a dump of unknown syntax: only what stands after its last separator is the rule.
    rule = _QUOTED.sub("", rest) if rest.startswith('"') else rest.rpartition(": ")[2] if ": " in rest else ""
    return f"{field}: {what}: {rule}" if rule else f"{field}: {what}"
