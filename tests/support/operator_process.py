"""A whole operator process in this one: it stands by, leads, and dies as processes die; and what keeps two running.

The one rule: everything is the product's own but kopf, for which a listener stands in, and the end of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from inferfleet.api.base import PLURAL
from inferfleet.handlers import process, watchdog
from inferfleet.handlers.process import Process, RunOptions
from inferfleet.kube.connection import Connection
from support.cuts import Cut, Killed, Line
from support.fake_kube.clients import connection_to
from support.fake_kube.storage import Change
from support.operator_run import Listener, ScriptedAsker
from support.simulation import Simulation
from support.virtual_time import OWNER, LoopClock, VirtualLoop

KILLED = -9
_PROBE_SECONDS, _PROBE_FAILURES = 10.0, 3
"""How often the chart lets a kubelet ask for life, and how many refusals end a container."""


class Exited(BaseException):
    """The process ended itself at once, with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def leave(status: int) -> None:
    """End as `os._exit` does: nothing else of the process runs any more."""
    dying = OWNER.get(None)
    if isinstance(dying, Replica):
        dying.silence()
    raise Exited(status)


@dataclass(slots=True, eq=False)
class Shell:
    """Wakes as kopf does, and ends as kopf does when its kind is not there."""

    simulation: Simulation
    whole: Process
    ended: asyncio.Future[None]
    begun_at: float
    listener: Listener = field(init=False)

    def start(self) -> None:
        operator = self.whole.operator
        assert operator is not None
        operator._prober._asker = ScriptedAsker(self.simulation._answer)
        self.listener = Listener(self.simulation.fake, operator)
        if any(kind.plural == PLURAL for kind in self.simulation.fake.api.resources.values()):
            self.listener.start()
            self.simulation.fake.api.storage.listen(self._seen)
        else:
            self._end()

    def _seen(self, change: Change) -> None:
        if change.resource.plural == "customresourcedefinitions" and change.after is None:
            self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


@dataclass(slots=True, eq=False)
class Replica:
    """One process, by the name of its pod; a user of the same name is who asks."""

    sim: Simulation
    name: str
    clock: LoopClock = field(default_factory=LoopClock)
    line: Line = field(default_factory=Line)
    cut: Cut = field(default_factory=Cut)
    connection: Connection | None = None
    watched: bool = False
    """A watchdog looks at it: it looks so often that a test has to ask for it."""
    status: int | None = None
    """How it ended; None while it lives."""
    ended_at: float = 0.0
    shell: Shell | None = None
    process: Process = field(init=False)
    task: asyncio.Task[None] = field(init=False)
    _threads: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> Replica:
        """Begin to stand by."""
        options = RunOptions(self.sim.config, self.name, middlewares=(self.cut, self.line), time=self.clock.time)
        self.process = Process(options, self.connection or connection_to(self.sim.fake.url, self.name))
        context = copy_context()
        context.run(OWNER.set, self)
        self.task = asyncio.get_running_loop().create_task(self._run(), context=context)
        self._threads = [asyncio.create_task(self._probe())]
        self._watch()
        return self

    async def _run(self) -> None:
        if self.watched:
            asyncio.create_task(self.process.watchdog.beat("main"))  # noqa: RUF006 - the loop knows whose it is
        try:
            status = await self.process._stand_and_lead()
        except Exited as ended:
            status = ended.status
        except (Killed, asyncio.CancelledError):
            status = KILLED
        self._end(status)
        await asyncio.gather(*self.silence(), return_exceptions=True)

    def silence(self) -> list[asyncio.Task[object]]:
        """Cancel every task that the process began, but for the one that asks; return them."""
        left = [task for task in _loop().owned.get(self, ()) if not task.done() and task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        return left

    @property
    def leads(self) -> bool:
        return self.status is None and self.process.leads

    @property
    def has_led(self) -> bool:
        return self.process.leads

    @property
    def led_since(self) -> float:
        assert self.shell is not None
        return self.shell.begun_at

    def kill(self, status: int = KILLED) -> None:
        """End without a word, as SIGKILL does."""
        self._end(status)

    def terminate(self) -> None:
        """Ask to end, as SIGTERM does."""
        self.process.stop.set()

    def freeze(self) -> None:
        """Stop, as SIGSTOP does."""
        self.block()
        self._end_threads()

    def thaw(self) -> None:
        """Go on, as SIGCONT does."""
        _loop().thaw(self)
        self._watch()

    def block(self) -> None:
        """Let the event loop stand still and nothing else."""
        _loop().freeze(self)

    def _end(self, status: int) -> None:
        """Let nothing leave any more."""
        if self.status is None:
            self.status, self.ended_at = status, self.clock.monotonic()
        self.cut.killed = True
        if self.shell is not None:
            self.shell.listener.deaf = True
        _loop().thaw(self)
        self._end_threads()
        self.silence()

    def _end_threads(self) -> None:
        for task in self._threads:
            if task is not asyncio.current_task():
                task.cancel()
        self._threads.clear()

    def _watch(self) -> None:
        if self.watched:
            self._threads.append(asyncio.create_task(self._look()))

    async def _look(self) -> None:
        """Look at the loop as the watchdog's thread does."""
        while True:
            await asyncio.sleep(watchdog.TICK)
            try:
                self.process.watchdog.look()
            except Exited as ended:
                self.kill(ended.status)
                return

    async def _probe(self) -> None:
        """Ask for life as a kubelet does, and end what does not answer well."""
        failures = 0
        while failures < _PROBE_FAILURES:
            await asyncio.sleep(_PROBE_SECONDS)
            failures = 0 if self.process._live() else failures + 1
        self.kill()


def _loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


@dataclass
class Deployment:
    """Two replicas, that a kubelet starts again when they end: at once, then later each time."""

    sim: Simulation
    configure: Callable[[Replica], None] = lambda _: None
    restarts: bool = True
    replicas: dict[str, Replica] = field(default_factory=dict)
    """Those that live, by name."""
    ended: list[Replica] = field(default_factory=list)
    _keeping: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, *names: str) -> Deployment:
        self._keeping = [asyncio.create_task(self._keep(name)) for name in names or ("a", "b")]
        return self

    @property
    def leaders(self) -> list[Replica]:
        return [one for one in self.replicas.values() if one.leads]

    async def serve(self) -> tuple[Replica, Replica]:
        """Start, and let a model of two replicas serve; return who leads and who stands by."""
        self.start()
        self.sim.apply(replicas=2)
        await self.sim.settled()
        return await self.led()

    async def led(self, within: float = 60.0) -> tuple[Replica, Replica]:
        """Wait until one replica leads and another stands by; return them so."""
        await self.sim.until(lambda: len(self.leaders) == 1 and len(self.replicas) == 2, within)
        (leader,) = self.leaders
        (standby,) = [one for one in self.replicas.values() if one is not leader]
        return leader, standby

    async def stop(self) -> None:
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        for replica in self.replicas.values():
            replica.kill()
            await asyncio.wait([replica.task])

    async def _keep(self, name: str) -> None:
        wait = 0.0
        while True:
            replica = Replica(self.sim, name)
            self.configure(replica)
            self.replicas[name] = replica.start()
            await asyncio.wait([replica.task])
            replica.task.result()
            del self.replicas[name]
            self.ended.append(replica)
            if not self.restarts:
                return
            await asyncio.sleep(1.0 + wait)
            wait = min(2 * wait or 10.0, 300.0)


def deployment(sim: Simulation, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Prepare two replicas, `a` and `b`, in whose processes stand-ins are put for kopf's thread and for the end."""
    running = Deployment(sim)

    def shell(whole: Process, loop: asyncio.AbstractEventLoop) -> Shell:
        (mine,) = [one for one in running.replicas.values() if one.process is whole]
        mine.shell = Shell(sim, whole, loop.create_future(), sim.clock.monotonic())
        return mine.shell

    ends, clock = SimpleNamespace(_exit=leave), SimpleNamespace(monotonic=sim.clock.monotonic)
    monkeypatch.setattr(process, "Shell", shell)
    monkeypatch.setattr(process, "os", ends)
    monkeypatch.setattr(watchdog, "os", ends)
    monkeypatch.setattr(watchdog, "time", clock)
    sim.fake.add_namespace(sim.config.namespace)
    sim.fake.tokens = {"a": "a", "b": "b"}
    return running
