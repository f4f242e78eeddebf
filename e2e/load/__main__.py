"""`python -m e2e.load ADDRESS`: send a bounded load, print one JSON object.

Rule: SIGTERM ends the sending; what is in flight is waited for and counted. The exit code is 0 if nothing was
lost or refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from e2e.load.protocols import PROTOCOLS, Request
from e2e.load.run import Load, run


def main() -> int:
    """Read the arguments, run the load, print the summary."""
    parser = argparse.ArgumentParser(prog="python -m e2e.load", description="A closed-loop load on a Triton model.")
    parser.add_argument("address", help="host:port; the HTTP port, or the gRPC port with --protocol grpc")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--protocol", choices=sorted(PROTOCOLS), default="stream")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--max-tokens", type=int, default=24)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one request")
    parser.add_argument("--keep-alive", action="store_true", help="use connections again")
    given = parser.parse_args()
    request = Request(given.address, given.model, given.max_tokens, given.timeout, given.keep_alive)
    result = asyncio.run(_run(Load(request, given.protocol, given.clients, given.count, given.seconds)))
    print(json.dumps(result))
    return 0 if result["whole"] == result["sent"] else 1


async def _run(load: Load) -> dict[str, object]:
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    return await run(load, stop)


if __name__ == "__main__":
    sys.exit(main())
