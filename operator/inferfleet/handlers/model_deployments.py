"""kopf as the shell that watches ModelDeployments: every event wakes a key, and that is all.

The one rule: nothing of kopf's is left on an object: no annotation, no finalizer, no event.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import kopf

from inferfleet.api.base import GROUP, PLURAL, VERSION
from inferfleet.reconcile.queue import Key

FINALIZER = "inferfleet.dev/finalizer"


class EndlessBackoff:
    """Delays of 1 to 20 seconds for as long as it takes: an outage of the API server never ends kopf."""

    def __iter__(self) -> Iterator[float]:
        """Double up to 20 seconds, varied by 30 percent."""
        delay = 1.0
        while True:
            yield delay * random.uniform(0.7, 1.3)  # noqa: S311 - spreads retries, guards nothing
            delay = min(20.0, delay * 2)


class NoDiffBase(kopf.DiffBaseStorage):
    """Stores nothing: there is no handler that needs a difference."""

    def build(self, **_: Any) -> Any:  # noqa: ANN401 - kopf's signature
        """Keep nothing."""
        return {}

    def fetch(self, **_: Any) -> Any:  # noqa: ANN401 - as above
        """Know nothing."""
        return None

    def store(self, **_: Any) -> None:  # noqa: ANN401 - as above
        """Write nothing."""


class NoProgress(kopf.ProgressStorage):
    """Stores nothing: there is no handler that has progress."""

    def fetch(self, **_: Any) -> Any:  # noqa: ANN401 - kopf's signature
        """Know nothing."""
        return None

    def store(self, **_: Any) -> None:  # noqa: ANN401 - as above
        """Write nothing."""

    def purge(self, **_: Any) -> None:  # noqa: ANN401 - as above
        """Write nothing."""

    def touch(self, **_: Any) -> None:  # noqa: ANN401 - as above
        """Write nothing."""

    def clear(self, *, essence: Any) -> Any:  # noqa: ANN401 - as above
        """Leave the essence as it is."""
        return deepcopy(essence)


def settings() -> kopf.OperatorSettings:
    """Set everything that would write, scan, peer or give up."""
    found = kopf.OperatorSettings()
    found.peering.standalone = True
    found.scanning.disabled = True
    found.posting.enabled = False
    found.persistence.diffbase_storage = NoDiffBase()
    found.persistence.progress_storage = NoProgress()
    found.persistence.finalizer = FINALIZER
    found.persistence.consistency_timeout = 0
    found.networking.error_backoffs = EndlessBackoff()
    found.networking.request_timeout = 30
    found.networking.connect_timeout = 5
    found.networking.enforce_retry_after = True
    found.watching.inactivity_timeout = 70
    found.watching.connect_timeout = 10
    found.watching.reconnect_backoff = 1
    found.watching.server_timeout = random.randint(240, 300)  # noqa: S311 - spreads watches, guards nothing
    found.queueing.idle_timeout = 1
    found.queueing.exit_timeout = 1
    found.execution.max_workers = 4
    found.process.ultimate_exiting_timeout = 25
    return found


def registry(wake: Callable[[Key, str], None], login: Callable[[], kopf.AiohttpSession]) -> kopf.OperatorRegistry:
    """Register the one handler, and the way in; `wake` may be called from kopf's thread."""
    found = kopf.OperatorRegistry()

    @kopf.on.login(registry=found)
    async def log_in(**_: object) -> kopf.AiohttpSession:
        return login()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=found)
    async def woken(namespace: str | None, name: str | None, meta: kopf.Meta, **_: object) -> None:
        wake(Key(namespace or "", name or ""), str(meta.get("resourceVersion", "")))

    return found
