"""`python -m e2e.rig.hub`: serve the repositories under a root, until SIGTERM or SIGINT.

Rule: it prints one line, its address, once it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from ipaddress import IPv4Network
from pathlib import Path

from e2e.rig.hub.app import Settings, serving
from e2e.rig.hub.catalogue import fill
from e2e.rig.hub.store import Store
from e2e.rig.models import weights


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m e2e.rig.hub", description="A model hub for tests.")
    parser.add_argument("--root", type=Path, required=True, help="where the repositories lie")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8088)
    parser.add_argument("--cdn-port", type=int, help="serve large files from a second origin")
    parser.add_argument("--fill", action="store_true", help="publish the rig's repositories first")
    parser.add_argument("--control", type=IPv4Network, action="append", default=[], metavar="CIDR",
                        help="who may pull levers, besides loopback")  # fmt: skip
    given = parser.parse_args()
    if given.fill:
        fill(Store(given.root), weights.gguf())
    asyncio.run(_serve(Settings(given.root, given.host, given.port, given.cdn_port, tuple(given.control))))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    async with serving(settings) as address:
        print(address, flush=True)
        await stop.wait()


if __name__ == "__main__":
    main()
