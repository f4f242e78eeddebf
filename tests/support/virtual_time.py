"""An event loop whose clock jumps to the next timer when nothing else is left to do.

The one rule: time passes only while every socket is silent, so that a wait of ten minutes costs a millisecond and what
happens in it happens in the right order.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from socket import socket
from typing import Any, TypeVar, TypeVarTuple, Unpack

from inferfleet.kube.timing import Time
from support.fake_kube import ManualClock
from support.fake_kube.clock import EPOCH

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_GRACE_SECONDS = 0.0003
"""How long a socket may stay silent before time passes: loopback delivers at once, the kernel may be late on it."""
_LEAST_SECONDS = 1e-9


class _Selector(selectors.BaseSelector):
    """Waits for sockets only for a moment, and passes the time instead."""

    def __init__(self, real: selectors.BaseSelector, pass_time: Callable[[float], bool]) -> None:
        self._real = real
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return self._real.select(timeout)
        found = self._real.select(0) or self._real.select(_GRACE_SECONDS)
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


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time; while a thread works for it, time is real."""

    def __init__(self) -> None:
        self._seconds = 1000.0
        self._threads = 0
        self.connected: list[tuple[str, int]] = []
        """Whom sockets of this loop were connected to."""
        self.resolved: list[Any] = []
        """Names that were looked up."""
        super().__init__(_Selector(selectors.DefaultSelector(), self._pass_time))

    def time(self) -> float:
        # Like a real clock it never stands still: code that finds itself a rounding error early may look again at once.
        self._seconds += _LEAST_SECONDS
        return self._seconds

    def _pass_time(self, seconds: float) -> bool:
        if self._threads:
            return False
        self._seconds += seconds
        return True

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self._threads += 1
        running = super().run_in_executor(executor, func, *args)
        running.add_done_callback(self._thread_ended)
        return running

    async def sock_connect(self, sock: socket, address: Any) -> None:
        self.connected.append(address)
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
