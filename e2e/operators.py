"""The operator's own replicas in the rig: who they are, who leads, and what the audit log says that they wrote."""

from __future__ import annotations

from e2e.install import NAMESPACE
from e2e.lab import Lab, is_ready, wait_for
from e2e.rig import audit
from e2e.rig.api import Json

ACCOUNT = f"{NAMESPACE}:inferfleet"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/inferfleet"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io%2Fname%3Dinferfleet"
WRITES = ("create", "update", "patch", "delete")


def pods(lab: Lab) -> list[Json]:
    """List the pods of the operator, those that are going included."""
    found: list[Json] = lab.rig.get(PODS)["items"]
    return found


def holder(lab: Lab) -> str:
    """Name the pod that holds the Lease; empty if none does."""
    return str(lab.rig.get(LEASE)["spec"].get("holderIdentity", ""))


def wait_for_leader(lab: Lab) -> str:
    """Wait for two ready replicas of which one leads, and name that one."""

    def look() -> str:
        ready = [pod["metadata"] for pod in pods(lab) if is_ready(pod)]
        names = [meta["name"] for meta in ready if "deletionTimestamp" not in meta]
        leader = holder(lab)
        return leader if len(names) == 2 and leader in names else ""

    return wait_for(look, "two replicas of the operator, one of which leads", 120)


def writes(since: int) -> list[Json]:
    """List the writes of all replicas since a place in the audit log."""
    return [event for event in audit.events(ACCOUNT, since=since) if event["verb"] in WRITES]
