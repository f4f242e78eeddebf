"""Text from outside, made fit to be shown.

The one rule: what leaves here has no control character, a bound, and no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


def plain(text: str, limit: int) -> str:
    """Return the text on one line, cut to `limit` characters."""
    line = " ".join(_UNSHOWABLE.sub(" ", text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "\u2026"


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace each secret by stars."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
