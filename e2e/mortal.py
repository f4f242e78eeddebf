"""Operators that die by SIGKILL at a write of theirs, one after another: `python -m e2e.mortal CONFIG KUBECONFIG MODE`.

Each life is a process of its own, forked from one that has everything imported. It dies when its first write was
carried out and its answer not yet read (`after`), or before it sends its second (`before`). One line a death says at
which write. SIGTERM ends the row.

The one rule: it is the product's own process, and only the way of its requests is ours; the Lease is left in peace.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType

from inferfleet.cli.config import load_config
from inferfleet.handlers.process import RunOptions, run
from inferfleet.kube.session import resource_of
from inferfleet.telemetry.logs import set_up

IDENTITY = "mortal"
PORT = 18080


@dataclass(slots=True)
class Death:
    """Kills this process at a write."""

    mode: str
    writes: int = 0

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        is_write = request.method != "GET" and resource_of(request.url.raw_path).split("/")[0] != "leases"
        self.writes += is_write
        if is_write and self.mode == "before" and self.writes == 2:
            die(request)
        response = await handler(request)
        if is_write and self.mode == "after":
            die(request)
        return response


def die(request: aiohttp.ClientRequest) -> None:
    """Say where, and be gone."""
    print(f"{request.method} {request.url.path}", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def live(config: Path, kubeconfig: str, mode: str) -> int:
    """Run one operator until it dies."""
    set_up("warning")
    options = RunOptions(
        load_config(config), IDENTITY, PORT, kubeconfig, middlewares=(Death(mode),), host="127.0.0.1"
    )  # fmt: skip
    return asyncio.run(run(options))


def main() -> int:
    """Fork one life after another; one that ends by itself, or dies of something else, ends the row with an error."""
    config, kubeconfig, mode = sys.argv[1:]
    child = 0

    def stop(_signal: int, _frame: FrameType | None) -> None:
        os.kill(child, signal.SIGKILL)
        os._exit(0)

    while True:
        # A signal that comes while there is no child, or two, waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            os._exit(live(Path(config), kubeconfig, mode))
        signal.signal(signal.SIGTERM, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        _, status = os.waitpid(child, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            print(f"an operator ended by itself, with status {status}", file=sys.stderr, flush=True)
            return 1


if __name__ == "__main__":
    sys.exit(main())
