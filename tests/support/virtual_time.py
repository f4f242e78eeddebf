"""An event loop whose clock jumps to the next timer when nothing else is left to do.

The one rule: time passes only while every socket is silent, so that a wait of ten minutes costs a millisecond and what
happens in it happens in the right order.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from functools import partial
from socket import socket
from typing import Any, Generic, TypeVar, TypeVarTuple, Unpack
from weakref import WeakSet

from inferfleet.kube.timing import Time
from support.fake_kube import ManualClock
from support.fake_kube.clock import EPOCH

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_GRACE_SECONDS = 0.001
"""How long sockets may stay silent while something is on its way: loopback delivers at once, but may be late."""
_LEAST_SECONDS = 1e-9
OWNER: ContextVar[object] = ContextVar("owner")
"""Whose tasks are begun, where several processes share a loop."""


class _Road:
    """What is on its way between sockets of this loop: bytes, and beginnings and ends of connections."""

    def __init__(self) -> None:
        self.bytes = 0
        self.turns = 0

    def is_used(self) -> bool:
        return self.bytes != 0 or self.turns != 0

    def clear(self) -> None:
        self.bytes = self.turns = 0


class _Socket(socket):
    """A connected socket that counts what it sends and receives."""

    __slots__ = ("road",)

    road: _Road

    @classmethod
    def taking(cls, found: socket, road: _Road) -> _Socket:
        made = cls(found.family, found.type, found.proto, found.detach())
        made.road = road
        return made

    def send(self, *args: Any) -> int:
        sent = super().send(*args)
        self.road.bytes += sent
        return sent

    def recv(self, *args: Any) -> bytes:
        received = super().recv(*args)
        self.road.bytes -= len(received)
        return received

    def recv_into(self, *args: Any) -> int:
        received = super().recv_into(*args)
        self.road.bytes -= received
        return received

    def close(self) -> None:
        self.road.turns += 1
        super().close()


class _Selector(selectors.BaseSelector):
    """Waits for sockets only for a moment, and passes the time instead."""

    def __init__(self, real: selectors.BaseSelector, pass_time: Callable[[float], bool], road: _Road) -> None:
        self._real = real
        self._pass_time = pass_time
        self._road = road

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return self._real.select(timeout)
        found = self._real.select(0)
        if not found and self._road.is_used():
            found = self._real.select(_GRACE_SECONDS)
            if not found:
                self._road.clear()
        if not found and not self._pass_time(timeout):
            return self._real.select(timeout)
        return found

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.get_key(fileobj)

    def close(self) -> None:
        self._real.close()


class _Gate(Generic[*Ts]):
    """Runs a callback of a process, or keeps it while the process is frozen."""

    def __init__(
        self,
        frozen: Mapping[object, list[Callable[[], object]]],
        owner: object,
        callback: Callable[[Unpack[Ts]], object],
        again: Callable[..., asyncio.Handle],
    ) -> None:
        self._frozen = frozen
        self._owner = owner
        self._callback = callback
        self._again = again
        self.handle: asyncio.Handle | None = None

    def __call__(self, *args: *Ts) -> None:
        waiting = self._frozen.get(self._owner)
        if waiting is None:
            self._callback(*args)
        else:
            waiting.append(partial(self._again, self._resume, *args, context=copy_context()))

    def _resume(self, *args: *Ts) -> None:
        """Run it late, unless it was called off meanwhile."""
        if self.handle is None or not self.handle.cancelled():
            self(*args)


def _owner_in(context: Context | None) -> object:
    return OWNER.get(None) if context is None else context.get(OWNER)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time; while a thread works for it, time is real."""

    def __init__(self) -> None:
        self._seconds = 1000.0
        self._threads = 0
        self.connected: list[tuple[str, int]] = []
        """Whom sockets of this loop were connected to."""
        self.resolved: list[Any] = []
        """Names that were looked up."""
        self.owned: dict[object, WeakSet[asyncio.Task[Any]]] = {}
        """Tasks by the process that they belong to: it began them, or a task of its did."""
        self._frozen: dict[object, list[Callable[[], object]]] = {}
        self._road = _Road()
        super().__init__(_Selector(selectors.DefaultSelector(), self._pass_time, self._road))

    def time(self) -> float:
        # Like a real clock it never stands still: code that finds itself a rounding error early may look again at once.
        self._seconds += _LEAST_SECONDS
        return self._seconds

    def _pass_time(self, seconds: float) -> bool:
        if self._threads:
            return False
        self._seconds += seconds
        return True

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task = super().create_task(coro, name=name, context=context)
        owner = _owner_in(context)
        if owner is not None:
            self.owned.setdefault(owner, WeakSet()).add(task)
        return task

    def freeze(self, owner: object) -> None:
        """Let nothing run that belongs to a process; sockets are read by nobody."""
        self._frozen[owner] = []

    def thaw(self, owner: object) -> None:
        """Let a process go on, with all that came due for it meanwhile, in that order."""
        for resume in self._frozen.pop(owner, ()):
            resume()

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        owner = _owner_in(context)
        if owner is None:
            return super().call_soon(callback, *args, context=context)
        gate = _Gate(self._frozen, owner, callback, super().call_soon)
        gate.handle = super().call_soon(gate, *args, context=context)
        return gate.handle

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        owner = _owner_in(context)
        if owner is None:
            return super().call_at(when, callback, *args, context=context)
        gate = _Gate(self._frozen, owner, callback, super().call_soon)
        handle = super().call_at(when, gate, *args, context=context)
        gate.handle = handle
        return handle

    def _add_reader(self, fd: int, callback: Callable[..., object], *args: Any) -> Any:
        return self._follow("reader", fd, callback, *args)

    def _add_writer(self, fd: int, callback: Callable[..., object], *args: Any) -> Any:
        return self._follow("writer", fd, callback, *args)

    def _follow(self, side: str, fd: int, callback: Callable[..., object], *args: Any) -> Any:
        """Call back when a socket is ready; while its process is frozen the socket is not even looked at."""
        add = getattr(super(), f"_add_{side}")
        owner = OWNER.get(None)
        if owner is None:
            return add(fd, callback, *args)

        def ready(*args: Any) -> None:
            waiting = self._frozen.get(owner)
            if waiting is None:
                callback(*args)
                return
            getattr(self, f"_remove_{side}")(fd)
            waiting.append(partial(copy_context().run, self._follow, side, fd, callback, *args))

        return add(fd, ready, *args)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self._threads += 1
        running = super().run_in_executor(executor, func, *args)
        running.add_done_callback(self._thread_ended)
        return running

    def _make_socket_transport(self, sock: socket, *args: Any, **more: Any) -> Any:
        return super()._make_socket_transport(_Socket.taking(sock, self._road), *args, **more)  # type: ignore[misc]  # - private to asyncio

    async def sock_connect(self, sock: socket, address: Any) -> None:
        self.connected.append(address)
        self._road.turns += 1
        await super().sock_connect(sock, address)

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        self.resolved.append(host)
        return await super().getaddrinfo(host, port, **hints)

    def _thread_ended(self, _: object) -> None:
        self._threads -= 1


class LoopClock(ManualClock):
    """The running loop's own time, in the shape in which the fake takes a clock; `ahead` is a wrong wall clock."""

    def __init__(self, ahead: float = 0.0, chance: float = 0.5) -> None:
        super().__init__(chance=chance)
        self.ahead = ahead

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return (EPOCH + timedelta(seconds=self.monotonic() + self.ahead)).astimezone(UTC)

    def step(self, seconds: float) -> None:
        self.ahead += seconds

    @property
    def time(self) -> Time:
        return Time(self.monotonic, asyncio.sleep, lambda: self._chance, self.now)
