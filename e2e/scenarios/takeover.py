"""Another replica leads when one is killed, ended in order, or frozen; a frozen one writes nothing afterwards."""

from __future__ import annotations

import time

from e2e.install import NAMESPACE
from e2e.lab import Lab, must, wait_for
from e2e.operators import holder, wait_for_leader, writes
from e2e.rig import audit
from e2e.rig.api import Json
from e2e.scenarios.registry import scenario

PROCESS = "inferfleet"
FROZEN_SECONDS = 20


@scenario("takeover", "SIGKILL 20 s, SIGTERM 3 s, a frozen leader writes nothing afterwards", limit_seconds=400)
def takeover(lab: Lab, _whole: bool) -> None:
    lab.counted["SIGTERM s"] = _measure(lab, "term", 3.0)
    lab.counted["SIGKILL s"] = _measure(lab, "kill", 20.0)
    lab.counted["frozen s"] = _frozen(lab)


def _measure(lab: Lab, how: str, limit: float) -> float:
    """End the leader, and measure until another holds the Lease and acts on a new object."""
    leader = wait_for_leader(lab)
    begun = time.monotonic()
    if how == "term":
        lab.rig.kubectl("-n", NAMESPACE, "delete", "pod", leader, "--wait=false")
    else:
        # Frozen first, so that it cannot hear the SIGTERM that comes before the SIGKILL and give the Lease up.
        must(lab.rig.levers.pods.freeze_process(NAMESPACE, leader, "operator", PROCESS), "no process was frozen")
        lab.rig.kubectl("-n", NAMESPACE, "delete", "pod", leader, "--grace-period=0", "--force", "--wait=false")
    wait_for(lambda: holder(lab) not in ("", leader), "another leader", limit + 30)
    seconds = time.monotonic() - begun
    must(seconds <= limit, f"{how}: took {seconds:.1f} s, {limit} s are allowed")
    _acts(lab, f"after-{how}")
    return round(seconds, 1)


def _acts(lab: Lab, name: str) -> None:
    lab.apply(lab.model(name, suspend=True))
    lab.ready(name, 30)


def _frozen(lab: Lab) -> float:
    since = audit.mark()
    leader = wait_for_leader(lab)
    wait_for(lambda: _writes(leader, since), "a write that the audit log ascribes to the leader", 20)
    begun = time.monotonic()
    lab.rig.levers.pods.freeze_process(NAMESPACE, leader, "operator", PROCESS)
    wait_for(lambda: holder(lab) != leader, "another leader", 40)
    seconds = time.monotonic() - begun
    time.sleep(max(0.0, FROZEN_SECONDS - seconds))
    since = audit.mark()
    lab.rig.levers.pods.thaw_process(NAMESPACE, leader, "operator", PROCESS)
    _acts(lab, "after-frozen")
    late = _writes(leader, since)
    must(not late, f"the frozen leader wrote {len(late)} times after it was thawed")
    wait_for_leader(lab)
    return round(seconds, 1)


def _writes(pod: str, since: int) -> list[Json]:
    """List what a pod of the operator wrote, by the name of the pod in its token."""
    return [event for event in writes(since) if pod in str(event.get("user", {}).get("extra", {}))]
