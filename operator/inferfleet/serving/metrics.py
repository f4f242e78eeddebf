"""What a Triton server counts about itself, read from its metrics port.

The one rule: a number that cannot be true is no number: NaN, negative and absurd values are left out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from inferfleet.engines.triton import TRITON
from inferfleet.serving.web import Reader

METRICS_PORT = TRITON.port("metrics")
LARGEST_BODY = 4 << 20
LARGEST_VALUE = float(1 << 53)
SUCCESS, FAILURE, PENDING, REQUESTS = (
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_pending_request_count",
    "nv_trt_llm_request_metrics",
)
# Only the lines that are looked at are taken apart: a page may have thousands of others.
_LINE = re.compile(
    rf"^({SUCCESS}|{FAILURE}|{PENDING}|{REQUESTS})\{{([^\n]{{0,2048}})\}}[ \t]+([^\s]{{1,32}})", re.MULTILINE
)
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one model since its server started, and now in the whole server."""

    succeeded: int = 0
    broken: int = 0
    """Failed in the backend."""
    pending: int = 0
    """In Triton's queues, of all models: an ensemble's wait in the queues of its parts."""
    waiting: int | None = None
    """In the model's own queue; None where it does not say."""
    active: int | None = None
    """Running, by the model's own count; None where it does not say."""
    limit: int | None = None
    """How many may run at once."""

    @property
    def is_busy(self) -> bool:
        """Tell whether requests are seen waiting or running."""
        return self.pending > 0 or bool(self.in_engine)

    @property
    def in_engine(self) -> int | None:
        """Count what waits or runs in the model itself; None where it does not say."""
        if self.waiting is None and self.active is None:
            return None
        return (self.waiting or 0) + (self.active or 0)


async def scrape(reader: Reader, ip: str, model: str, port: int = METRICS_PORT) -> Counts | None:
    """Read the counts; None when there is no answer that can be used."""
    body = await reader.get(ip, port, "/metrics", LARGEST_BODY)
    return None if body is None else counts(body.decode("utf-8", "replace"), model)


def counts(text: str, model: str) -> Counts:
    """Add up what a metrics page says, over versions."""
    found: dict[str, int] = {}
    for name, written, number in _LINE.findall(text):
        value = _number(number)
        key = _key(name, dict(_LABEL.findall(written)), model)
        if key and value is not None:
            found[key] = found.get(key, 0) + value
    return Counts(**found)


def _key(name: str, labels: dict[str, str], model: str) -> str:
    if name == PENDING:
        return "pending"
    if name == REQUESTS:
        kinds = {"waiting": "waiting", "active": "active", "max": "limit"}
        return kinds.get(labels.get("request_type", ""), "")
    if labels.get("model") != model:
        return ""
    if name == SUCCESS:
        return "succeeded"
    return "broken" if labels.get("reason") == "BACKEND" else ""


def _number(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if math.isfinite(value) and 0 <= value <= LARGEST_VALUE else None
