"""Text that came from outside and is about to be shown: bounded, on one line, without control characters or secrets."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]+")
_SECRETS = re.compile(
    r"(?i)(\bhf_[A-Za-z0-9]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"
    r"|\bbearer\s+\S+|(?:token|secret|password|passwd|api[_-]?key|authorization)[\"']?\s*[:=]\s*\S+"
    r"|://[^/\s:@]+:[^/\s@]+@)"
)
_TELLING = re.compile(r"(?i)failed to load|error|exception|traceback|cannot|denied|no space|out of memory")


def public(text: str, limit: int = 300) -> str:
    """Make text fit to be shown to anyone, at most `limit` characters."""
    clean = _SECRETS.sub("[redacted]", _CONTROL.sub(" ", text)).strip()
    return clean if len(clean) <= limit else f"{clean[: limit - 3]}..."


def telling_line(log: str, limit: int = 300) -> str:
    """Choose the line of a log's end that says most about a failure, fit to be shown."""
    lines = [line for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    chosen = next((line for line in telling if "failed to load" in line), None) or (telling or lines or [""])[-1]
    return public(chosen, limit)


def size_words(size: int) -> str:
    """Write a number of bytes with a binary unit: `9.4 GiB`, `120 MiB`."""
    steps = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
    for step, unit in steps:
        if size >= 10 * step:
            return f"{size // step} {unit}"
        if size >= step:
            return f"{size // step}.{size * 10 // step % 10} {unit}"
    return f"{size} B"
