"""An operator in this process, as its process runs it once it leads, and how it ends.

The one rule: everything is the product's own but kopf, for which a listener stands in, and the models, which answer
from a script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Self

from aiohttp.client_middlewares import ClientMiddlewareType

from inferfleet.api.config import FleetConfig
from inferfleet.kube.client import Client
from inferfleet.kube.kinds import MODEL_DEPLOYMENTS
from inferfleet.kube.session import client_session, metered
from inferfleet.kube.timing import Time
from inferfleet.reconcile.operator import Operator
from inferfleet.reconcile.queue import Key
from inferfleet.serving.triton import Asked, Asker, Inference
from inferfleet.telemetry.metrics import Metrics
from support.cuts import Cut, Killed
from support.fake_kube import FakeKube
from support.fake_kube.clients import connection_to
from support.fake_kube.storage import Change, key_of

ANSWERED = Inference("answered")
WORKERS = 4


class ScriptedAsker(Asker):
    """Answers for every model as a test says, by the pod's address."""

    def __init__(self, script: Callable[[Asked], Inference]) -> None:
        super().__init__()
        self._script = script

    async def infer(self, asked: Asked, seconds: float) -> Inference:
        await asyncio.sleep(0)
        return self._script(asked)


@dataclass(slots=True, eq=False)
class Listener:
    """Wakes an operator as kopf does: of everything at its start, then of each event."""

    fake: FakeKube
    operator: Operator
    deaf: bool = False

    def start(self) -> None:
        self.fake.api.storage.listen(self._seen)
        for obj in self.fake.all(MODEL_DEPLOYMENTS.plural):
            self.operator.queue.add(Key(*key_of(obj)))

    def _seen(self, change: Change) -> None:
        stored = change.after or change.before
        if change.resource.plural == MODEL_DEPLOYMENTS.plural and stored is not None and not self.deaf:
            self.operator.told(Key(*key_of(stored.obj)), stored.obj["metadata"]["resourceVersion"])


@dataclass(slots=True, eq=False)
class OperatorRun:
    """One operator that leads."""

    fake: FakeKube
    config: FleetConfig
    time: Time
    script: Callable[[Asked], Inference]
    cut: Cut = field(default_factory=Cut)
    middlewares: Sequence[ClientMiddlewareType] = ()
    token: str | None = None
    metrics: Metrics = field(default_factory=Metrics)
    operator: Operator = field(init=False)
    listener: Listener = field(init=False)
    task: asyncio.Task[None] = field(init=False)
    _stack: AsyncExitStack = field(init=False)

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        middlewares: list[ClientMiddlewareType] = [metered(self.metrics, self.time), self.cut, *self.middlewares]
        server, session = client_session(connection_to(self.fake.url, self.token), self.time, middlewares)
        await self._stack.enter_async_context(session)
        client = Client(server, session, self.time, lambda: not self.cut.killed, wrote=self.metrics.wrote)
        self.operator = Operator(client, self.config, "test-0", self.time, self.metrics)
        self.operator._prober._asker = ScriptedAsker(self.script)
        self.listener = Listener(self.fake, self.operator)
        self.listener.start()
        self.task = asyncio.create_task(self.operator.run(WORKERS))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def kill(self) -> None:
        """End without a word, as SIGKILL does."""
        self.cut.killed = True
        self.listener.deaf = True
        self.task.cancel()
        with suppress(asyncio.CancelledError, Killed, BaseExceptionGroup):
            await self.task
        await self._stack.aclose()

    async def stop(self) -> None:
        """End as SIGTERM does."""
        self.operator.stop()
        await self.task
        await self.kill()
