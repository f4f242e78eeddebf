"""`python -m e2e.rig.netpol NODE`: enforce NetworkPolicies on a node, from within its network namespace.

Rule: it ends by a signal and leaves the table that was in force.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from e2e.rig import nodes, settings
from e2e.rig.netpol.addresses import Records
from e2e.rig.netpol.enforcer import Enforcer
from e2e.rig.netpol.nft import Node

RESULTS = "var/lib/cni/results"


def main(argv: list[str]) -> None:
    """Enforce until told to stop."""
    node = settings.node(argv[0])
    records = Records(Path(f"/proc/{nodes.first_process(node)}/root", RESULTS))
    over = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: over.set())
    Enforcer(Node(node.name, node.pod_cidr), records.addresses).run(over)


if __name__ == "__main__":
    main(sys.argv[1:])
