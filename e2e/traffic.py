"""Requests that go on while something else happens: a bounded load from inside a node's network.

The one rule: each request has a connection of its own, so that what is lost was lost by the server or by us.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e.lab import Lab, must
from e2e.rig import shell
from e2e.rig.settings import NODES, PYTHON, REPOSITORY

SECONDS = 600
REQUESTS = 5000


@contextmanager
def traffic(lab: Lab, name: str, clients: int = 2) -> Iterator[dict[str, Any]]:
    """Send requests to a model's Service while the block runs; afterwards the dictionary holds what became of them."""
    address, model = lab.endpoint(name)
    load = [PYTHON, "-m", "e2e.load", address, "--model", model, "--clients", clients]
    command = shell.in_netns(NODES[0].netns, [str(part) for part in (*load, "--count", REQUESTS, "--seconds", SECONDS)])
    found: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as client:
        try:
            yield found
        finally:
            client.terminate()
            said, _ = client.communicate(timeout=90)
    found |= json.loads(said)


def nothing_lost(found: dict[str, Any]) -> int:
    """Fail unless every request was answered whole, and there were some; return how many."""
    must(found["sent"] > 0, "no request was sent")
    must(found["whole"] == found["sent"], f"requests were lost: {found}")
    return int(found["sent"])
