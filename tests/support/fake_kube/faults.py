"""The levers: what goes wrong, for whom, how often; and what was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from support.fake_kube.asked import Asked


@dataclass(slots=True)
class Fault:
    """What goes wrong with requests that match.

    `landed` says that the request is carried out before things go wrong: its answer is lost. `cut` sends half of the
    answer. `page` answers as a proxy would and not with a Status. `error_event` opens a watch and ends it with an ERROR
    event of this code.
    """

    verb: str = "*"
    resource: str = "*"
    name: str | None = None
    user: str | None = None
    times: int | None = None
    status: int | None = None
    retry_after: int | None = None
    reset: bool = False
    hang: bool = False
    cut: bool = False
    landed: bool = False
    latency: float = 0.0
    error_event: int | None = None
    page: bool = False
    struck: list[Asked] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_only_slow(self) -> bool:
        return self.status is None and not (self.reset or self.hang or self.cut or self.landed)

    def strikes(self, asked: Asked, user: str) -> bool:
        """Tell whether a request is struck, and count it."""
        if self.times is not None and len(self.struck) >= self.times:
            return False
        if self.verb not in ("*", asked.verb, "write" if asked.writes else "read"):
            return False
        if self.user not in (None, user):
            return False
        if self.resource not in ("*", asked.full_resource) or self.name not in (None, asked.name):
            return False
        self.struck.append(asked)
        return True

    @property
    def hits(self) -> int:
        """Count the requests that were struck."""
        return len(self.struck)


@dataclass(frozen=True, slots=True)
class Logged:
    """A request and how it was answered."""

    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str
    user: str
    status: int
    changed: bool
    body: Any = None
    at: float = 0.0

    @property
    def writes(self) -> bool:
        return self.verb in ("create", "update", "patch", "delete")
