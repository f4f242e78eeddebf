"""Another replica leads when one is killed, ended in order, or frozen; a frozen one writes nothing afterwards."""

from __future__ import annotations

import time

from e2e.install import NAMESPACE
from e2e.lab import Lab, is_ready, must, wait_for
from e2e.rig import audit
from e2e.rig.api import Json
from e2e.scenarios.registry import scenario

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/inferfleet"
PROCESS = "inferfleet"
ACCOUNT = f"{NAMESPACE}:inferfleet"
FROZEN_SECONDS = 20


@scenario("takeover", "SIGKILL 20 s, SIGTERM 3 s, a frozen leader writes nothing afterwards", limit_seconds=400)
def takeover(lab: Lab, _whole: bool) -> None:
    lab.counted["SIGTERM s"] = _measure(lab, "term", 3.0)
    lab.counted["SIGKILL s"] = _measure(lab, "kill", 20.0)
    lab.counted["frozen s"] = _frozen(lab)


def _ready(lab: Lab) -> list[Json]:
    pods = lab.rig.get(f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io%2Fname%3Dinferfleet")[
        "items"
    ]
    return [pod for pod in pods if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]


def _holder(lab: Lab) -> str:
    return str(lab.rig.get(LEASE)["spec"].get("holderIdentity", ""))


def wait_for_leader(lab: Lab) -> str:
    """Wait for two ready replicas of which one leads, and name that one."""

    def look() -> str:
        names = [pod["metadata"]["name"] for pod in _ready(lab)]
        holder = _holder(lab)
        return holder if len(names) == 2 and holder in names else ""

    return wait_for(look, "two replicas of the operator, one of which leads", 120)


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
    wait_for(lambda: _holder(lab) not in ("", leader), "another leader", limit + 30)
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
    wait_for(lambda: _holder(lab) != leader, "another leader", 40)
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
    return [
        event
        for event in audit.events(ACCOUNT, since=since)
        if event["verb"] in ("create", "patch", "update", "delete")
        and pod in str(event.get("user", {}).get("extra", {}))
    ]
