"""Logs as JSON lines, one object each.

The one rule: every record passes the same cleaning as public text: no control characters and no secrets.
"""

from __future__ import annotations

import json
import logging
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
            line["traceback"] = public(self.formatException(record.exc_info), LONGEST)
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str) -> None:
    """Send all logs to stderr as JSON lines; `level` is debug, info, warning or error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
