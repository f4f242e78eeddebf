"""The operator process, from start to end: stand by, lead, drain.

The one rule: a part that ends takes the process with it, so that the standby leads; nothing is restarted in here.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import kopf
from aiohttp.client_middlewares import ClientMiddlewareType
from kopf._cogs.structs.references import Insights

from inferfleet.api.config import FleetConfig
from inferfleet.errors import KubeError
from inferfleet.handlers import health, series
from inferfleet.handlers.model_deployments import registry, settings
from inferfleet.handlers.watchdog import LIVE_LAG, Watchdog
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.connection import Connection, load_connection
from inferfleet.kube.kinds import CHILDREN, MODEL_DEPLOYMENTS
from inferfleet.kube.lease import DEFAULT_TERMS, REQUEST_SECONDS, Lease, Terms
from inferfleet.kube.session import CONNECTIONS, client_session, metered
from inferfleet.kube.timing import Time
from inferfleet.kube.transport import Limits
from inferfleet.reconcile.operator import Operator
from inferfleet.reconcile.queue import Key
from inferfleet.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

TIME = Time(time.monotonic, asyncio.sleep, random.random, lambda: datetime.now(UTC))
DRAIN_SECONDS = 10.0
WORKERS = 12


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How the process runs. `middlewares` see every request to the API server, `time` is its clock: tests own both."""

    config: FleetConfig
    identity: str
    health_port: int = 8080
    kubeconfig: str | None = None
    terms: Terms = DEFAULT_TERMS
    middlewares: Sequence[ClientMiddlewareType] = ()
    time: Time = TIME
    host: str | None = None
    """Address of probes and metrics; all of them if None."""


class Process:
    """One operator process."""

    def __init__(self, options: RunOptions, connection: Connection) -> None:
        """Prepare; nothing is sent yet."""
        self.options = options
        self.connection = connection
        self.metrics = Metrics()
        self.watchdog = Watchdog(self.metrics.lagged)
        self.stop = asyncio.Event()
        self.lease: Lease | None = None
        self.operator: Operator | None = None
        self.leads = False
        series.show_lease(self.metrics, lambda: self.lease)
        series.show_work(self.metrics, lambda: self.operator)
        series.show_informers(self.metrics, lambda: self.operator, options.time.monotonic)

    async def run(self) -> int:
        """Stand by, lead, and return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        beating = asyncio.create_task(self.watchdog.beat("main"))
        self.watchdog.start()
        checks = health.Health(self._live, self._ready, self.metrics.text)
        runner = await health.serve(checks, self.options.health_port, self.options.host)
        try:
            return await self._stand_and_lead()
        finally:
            beating.cancel()
            await runner.cleanup()

    async def _stand_and_lead(self) -> int:
        time = self.options.time
        middlewares = (metered(self.metrics, time), *self.options.middlewares)
        server, lease_session = client_session(self.connection, time, middlewares, limit=2)
        _, session = client_session(self.connection, time, middlewares, limit=self._connections)
        async with lease_session, session:
            limits = Limits(read_seconds=REQUEST_SECONDS, write_seconds=REQUEST_SECONDS)
            lease_client = Client(server, lease_session, time, lambda: True, limits)
            config = self.options.config
            self.lease = Lease(
                lease_client, config.namespace, config.lease, self.options.identity, time, self.options.terms
            )
            client = Client(server, session, time, self.lease.valid, wrote=self.metrics.wrote)
            if not await self._until_stopped(self._crd_is_there(client)):
                return 0
            if not await self._until_stopped(self.lease.acquire()):
                return 0
            return await self._lead(client)

    @property
    def _connections(self) -> int:
        """Count the connections that watches and workers need at once, and a few more."""
        namespaces = max(1, len(self.options.config.watch_namespaces))
        return (len(CHILDREN) + 2) * namespaces + 2 + WORKERS + 8

    async def _until_stopped(self, work: Awaitable[None]) -> bool:
        """Do this work unless we are told to stop; True when it is done."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            return False
        working.result()
        return True

    async def _crd_is_there(self, client: Client) -> None:
        """Wait until ModelDeployments can be listed: kopf would serve nothing for ever without them."""
        namespace = next(iter(self.options.config.watch_namespaces), None)
        while True:
            try:
                async for _ in client.pages(MODEL_DEPLOYMENTS, Scope(namespace)):
                    return
            except KubeError as error:
                logger.warning("ModelDeployments cannot be listed yet: %s", error)
                await self.options.time.sleep(self.options.time.around(3.0))

    async def _lead(self, client: Client) -> int:
        assert self.lease is not None  # noqa: S101 - set by the caller
        self.leads = True
        self.operator = Operator(client, self.options.config, self.options.identity, self.options.time, self.metrics)
        holding = asyncio.create_task(self.lease.hold(), name="lease")
        working = asyncio.create_task(self.operator.run(WORKERS), name="operator")
        shell = Shell(self, asyncio.get_running_loop())
        shell.start()
        stopping = asyncio.create_task(self.stop.wait(), name="stop")
        await asyncio.wait((holding, working, shell.ended, stopping), return_when=asyncio.FIRST_COMPLETED)
        if holding.done():
            os._exit(1)
        status = 0 if self.stop.is_set() else 1
        await self._drain(working)
        await self.lease.release()
        holding.cancel()
        return status

    async def _drain(self, working: asyncio.Task[None]) -> None:
        """Let running beats end, for ten seconds at most."""
        assert self.operator is not None  # noqa: S101 - set by the caller
        self.operator.stop()
        await asyncio.wait((working,), timeout=DRAIN_SECONDS)
        if working.done() and not working.cancelled() and working.exception():
            logger.error("The operator failed.", exc_info=working.exception())
        working.cancel()

    def _live(self) -> bool:
        return self.watchdog.lag < LIVE_LAG and (not self.leads or bool(self.lease and self.lease.valid()))

    def _ready(self) -> bool:
        return not self.leads or bool(self.operator and self.operator.synced)


class Shell:
    """kopf in a thread and an event loop of its own, so that neither side can block or end the other unseen."""

    def __init__(self, process: Process, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare the thread."""
        self._process = process
        self._loop = loop
        self.ended: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)

    def start(self) -> None:
        """Start kopf."""
        self._thread.start()

    def _run(self) -> None:
        try:
            asyncio.run(self._watch())
        except Exception as error:  # - the end of a thread: kopf may raise anything, and the process ends for it
            logger.exception("kopf ended: %s", type(error).__name__)
        finally:
            self._tell_end()

    def _tell_end(self) -> None:
        with suppress(RuntimeError):  # The main loop has ended before: nobody needs to be told.
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    async def _watch(self) -> None:
        beating = asyncio.create_task(self._process.watchdog.beat("kopf"))
        insights = Insights()
        serving = asyncio.create_task(self._serve(insights))
        deaf = asyncio.create_task(_finds_nothing(insights))
        try:
            await asyncio.wait((serving, deaf), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                logger.error("The API server knows no ModelDeployments: kopf would hear of nothing.")
                self._tell_end()
                serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
        finally:
            deaf.cancel()
            beating.cancel()

    async def _serve(self, insights: Insights) -> None:
        namespaces = self._process.options.config.watch_namespaces
        await kopf.operator(
            registry=registry(self._wake, self._login),
            settings=settings(),
            insights=insights,
            identity=self._process.options.identity,  # type: ignore[arg-type]  # - a NewType of kopf's own
            clusterwide=not namespaces,
            namespaces=list(namespaces),
        )

    def _wake(self, key: Key, version: str) -> None:
        operator = self._process.operator
        if operator is not None:
            self._loop.call_soon_threadsafe(operator.told, key, version)

    def _login(self) -> kopf.AiohttpSession:
        options = self._process.options
        middlewares = (metered(self._process.metrics, options.time), *options.middlewares)
        # One watch for each namespace.
        limit = len(options.config.watch_namespaces) + CONNECTIONS
        server, session = client_session(self._process.connection, options.time, middlewares, limit=limit)
        return kopf.AiohttpSession(server=server, aiohttp_session=session)


async def _finds_nothing(insights: Insights) -> None:
    """Return when kopf has looked for its kind and found none: it would live on, and serve nothing for ever."""
    await insights.ready_resources.wait()
    while insights.watched_resources:  # noqa: ASYNC110 - what kopf has found once it does not lose
        await asyncio.sleep(3600.0)


async def run(options: RunOptions) -> int:
    """Run the operator until it is told to stop or cannot go on; return the exit status."""
    connection = await load_connection(options.kubeconfig)
    # What was imported lives as long as the process: a full collection need not look at it, and holds the loop less.
    gc.freeze()
    return await Process(options, connection).run()
