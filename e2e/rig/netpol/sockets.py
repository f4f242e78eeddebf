"""Sockets in other network namespaces: one process that listens as everybody and calls as anybody.

Rule: a socket stays in the namespace of the thread that made it, so only the making happens over there.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from e2e.rig.netpol.cases import Packet

PATIENCE_SECONDS = 0.4
KINDS = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}
_LIBC = ctypes.CDLL(None, use_errno=True)
_NEWNET = 0x40000000
Made = TypeVar("Made")


def reaches(namespace: str, address: str, packet: Packet) -> bool:
    """Whether a packet from a namespace is answered; for UDP the answer must come back as well."""
    with inside(namespace, lambda: socket.socket(socket.AF_INET, KINDS[packet.protocol])) as caller:
        caller.settimeout(PATIENCE_SECONDS)
        try:
            caller.connect((address, packet.port))
            caller.send(b"?")
            return caller.recv(1) == b"?"
        except OSError:
            return False


@contextmanager
def echoes(where: Mapping[str, tuple[str, str]], packets: Iterable[Packet]) -> Iterator[None]:
    """Answer for every target of these packets, and on port 80 of everybody, while the block runs."""
    wanted = {(packet.target, packet.port, packet.protocol) for packet in packets}
    wanted |= {(name, 80, "TCP") for name in where}
    listening = selectors.DefaultSelector()
    for name, port, protocol in sorted(wanted):
        namespace, address = where[name]
        made = inside(namespace, _listener(address, port, protocol))
        listening.register(made, selectors.EVENT_READ)
    over = threading.Event()
    answering = threading.Thread(target=_answer, args=(listening, over))
    answering.start()
    try:
        yield
    finally:
        over.set()
        answering.join()
        for key in list(listening.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # - only sockets are registered


def inside(namespace: str, make: Callable[[], Made]) -> Made:
    """Run a function in a network namespace, in a thread that ends with it."""
    made: list[Made] = []

    def enter() -> None:
        handle = os.open(Path("/run/netns", namespace), os.O_RDONLY)
        try:
            if _LIBC.setns(handle, _NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        finally:
            os.close(handle)
        made.append(make())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if not made:
        raise OSError(f"nothing was made in {namespace}")
    return made[0]


def _listener(address: str, port: int, protocol: str) -> Callable[[], socket.socket]:
    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, KINDS[protocol])
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        if protocol == "TCP":
            made.listen(64)
        made.setblocking(False)
        return made

    return make


def _answer(listening: selectors.BaseSelector, over: threading.Event) -> None:
    while not over.is_set():
        for key, _ in listening.select(timeout=0.1):
            if isinstance(key.fileobj, socket.socket):
                _echo(listening, key.fileobj)


def _echo(listening: selectors.BaseSelector, ready: socket.socket) -> None:
    if ready.type == socket.SOCK_DGRAM:
        said, caller = ready.recvfrom(16)
        ready.sendto(said, caller)
    elif ready.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        accepted, _ = ready.accept()
        listening.register(accepted, selectors.EVENT_READ)
    else:
        listening.unregister(ready)
        with ready:
            ready.send(ready.recv(16))
