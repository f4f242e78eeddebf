"""Logs as JSON lines, one object each.

The one rule: every record passes the same cleaning as public text: no control characters and no secrets. The text of an
error that nobody foresaw may quote anything, so it is left out: its kind and its place say where to look.
"""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime

from inferfleet.fleet.text import public

LONGEST = 4096
NOISY = ("kopf", "aiohttp", "asyncio")


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger and message; a traceback only for what is our own fault."""
        line = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": public(record.getMessage(), LONGEST),
        }
        if record.exc_info:
            line["traceback"] = public(_places(record.exc_info[1]), LONGEST)
        return json.dumps(line, ensure_ascii=False)


def _places(error: BaseException | None) -> str:
    """Show where an error came from, and what it came from, without its text; the last one raised stands last."""
    told: list[str] = []
    while error is not None:
        told.append("".join([*traceback.format_tb(error.__traceback__), type(error).__qualname__]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " caused ".join(reversed(told))


def set_up(level: str) -> None:
    """Send all logs to stderr as JSON lines; `level` is debug, info, warning or error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
