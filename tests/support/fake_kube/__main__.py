"""Run the fake by itself: `python -m support.fake_kube KUBECONFIG [CRD.yaml...]`, with every controller and two nodes.

The one rule: it is for hands and for processes of a test; a test of one process uses `FakeKube` itself.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import yaml

from support.fake_kube.cluster import FakeKube


async def main(kubeconfig: Path, definitions: list[Path]) -> None:
    """Serve until told to stop."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with FakeKube() as fake:
        fake.enable()
        for name in ("node-1", "node-2"):
            fake.add_node(name)
        for path in definitions:
            fake.add(yaml.safe_load(path.read_text("utf-8")))
        fake.kubeconfig(kubeconfig)
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
