"""The enforcer of one node: what it has seen becomes a table, and a changed table is applied.

Rule: nothing is applied before everything was listed once, and the last table stays when the process goes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from e2e.rig import shell
from e2e.rig.errors import CommandError
from e2e.rig.netpol import objects
from e2e.rig.netpol.addresses import fresh
from e2e.rig.netpol.nft import Node, ruleset
from e2e.rig.netpol.watch import Follower, Json

POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
PODS = "/api/v1/pods"
NAMESPACES = "/api/v1/namespaces"
GATHER_SECONDS = 0.02
RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.05

Apply = Callable[[str], None]


def apply(table: str) -> None:
    """Load a table into the network namespace that this process runs in, in one step."""
    shell.run(["nft", "-f", "-"], stdin=table)


@dataclass(slots=True)
class Enforcer:
    """Followers for all that decides, and the table that is in force."""

    node: Node
    addresses: Callable[[], dict[str, str]]
    apply: Apply = apply
    in_force: str = ""
    _due: threading.Event = field(default_factory=threading.Event)
    _followers: dict[str, Follower] = field(default_factory=dict)

    def run(self, over: threading.Event) -> None:
        """Follow the API server and keep the table current until told that it is over."""
        self._followers = {path: Follower(path, self._due.set) for path in (POLICIES, PODS, NAMESPACES)}
        for follower in self._followers.values():
            threading.Thread(target=follower.run, args=(over,), daemon=True).start()
        threading.Thread(target=self._look_for_new_pods, args=(over,), daemon=True).start()
        while not over.is_set():
            if self._due.wait(timeout=RETRY_SECONDS):
                time.sleep(GATHER_SECONDS)  # changes come in groups
                self._due.clear()
                self._renew()

    def table(self, seen: dict[str, list[Json]]) -> str:
        """Write the table for what was seen, with the addresses that only this node knows so far."""
        early = self.addresses()
        pods = [objects.pod(fresh(pod, early)) for pod in seen[PODS]]
        policies = [objects.policy(policy) for policy in seen[POLICIES]]
        namespaces = [objects.namespace(namespace) for namespace in seen[NAMESPACES]]
        return ruleset(policies, [pod for pod in pods if pod], namespaces, self.node)

    def _renew(self) -> None:
        if not all(follower.complete for follower in self._followers.values()):
            return
        wanted = self.table({path: follower.objects() for path, follower in self._followers.items()})
        if wanted == self.in_force:
            return
        try:
            self.apply(wanted)
        except CommandError as problem:
            print(problem, flush=True)
            self._due.set()  # tried again; until then the table before it holds
            time.sleep(RETRY_SECONDS)
            return
        self.in_force = wanted
        print(f"applied {wanted.count('chain ')} chains, {len(wanted)} characters", flush=True)

    def _look_for_new_pods(self, over: threading.Event) -> None:
        known: dict[str, str] = {}
        while not over.wait(LOOK_SECONDS):
            if (now := self.addresses()) != known:
                known = now
                self._due.set()
