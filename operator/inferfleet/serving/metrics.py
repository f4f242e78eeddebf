"""What a Triton server counts about itself, read from its metrics port.

The one rule: a number that cannot be true is no number: NaN, negative and absurd values are left out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from types import MappingProxyType

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
OWN_KINDS = MappingProxyType({"waiting": "waiting", "active": "active", "max": "limit"})
OTHER_KINDS = MappingProxyType({"waiting": "engine_elsewhere", "active": "engine_elsewhere"})
# Only the lines that are looked at are taken apart: a page may have thousands of others.
_LINE = re.compile(
    rf"^({SUCCESS}|{FAILURE}|{PENDING}|{REQUESTS})\{{([^\n]{{0,2048}})\}}[ \t]+([^\s]{{1,32}})", re.MULTILINE
)
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one model since its server started, and now; what runs is not in Triton's queues."""

    succeeded: int = 0
    broken: int = 0
    """Failed in the backend."""
    pending: int = 0
    """In Triton's queue."""
    waiting: int | None = None
    """In the model's own queue; None where it does not say."""
    active: int | None = None
    """Running, by the model's own count; None where it does not say."""
    limit: int | None = None
    """How many may run at once."""
    pending_elsewhere: int = 0
    """In Triton's queues of other models: an ensemble's requests wait in those of its parts."""
    engine_elsewhere: int | None = None
    """Waiting and running by other models' own count."""

    @property
    def is_busy(self) -> bool:
        """Tell whether requests of this model are seen waiting or running."""
        return self.pending > 0 or bool(self.waiting or self.active)

    @property
    def in_flight(self) -> int:
        """Count what is known to wait or run in the whole server."""
        return self.in_queues + (self.in_engines or 0)

    @property
    def in_queues(self) -> int:
        """Count what waits in the whole server."""
        return self.pending + self.pending_elsewhere

    @property
    def in_engines(self) -> int | None:
        """Count what models say that they hold, in the whole server; None where none says it."""
        told = [each for each in (self.waiting, self.active, self.engine_elsewhere) if each is not None]
        return sum(told) if told else None


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
    own = labels.get("model") == model
    if name == PENDING:
        return "pending" if own else "pending_elsewhere"
    if name == REQUESTS:
        kinds = OWN_KINDS if own else OTHER_KINDS
        return kinds.get(labels.get("request_type", ""), "")
    if not own:
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
