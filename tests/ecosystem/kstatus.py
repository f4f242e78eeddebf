"""What kstatus says of an object: the library by which Flux and Helm wait.

Our own statement of its rules for a kind that it does not know, in its order; a real Helm has the last word on a real
cluster (`test_helm_wait.py`).
"""

from __future__ import annotations

from inferfleet.api.base import Json


def kstatus(obj: Json) -> tuple[str, str]:
    """Say status and message."""
    metadata, status = obj["metadata"], obj.get("status", {})
    if metadata.get("deletionTimestamp"):
        return "Terminating", ""
    observed = status.get("observedGeneration")
    if observed is not None and observed != metadata.get("generation"):
        return "InProgress", f"generation is {metadata.get('generation')}, but latest observed is {observed}"
    conditions = status.get("conditions", ())
    for condition in conditions:
        if condition["status"] == "True" and condition["type"] in ("Reconciling", "Stalled"):
            return ("InProgress" if condition["type"] == "Reconciling" else "Failed"), condition["message"]
    for condition in conditions:
        if condition["type"] == "Ready":
            return ("Current" if condition["status"] == "True" else "InProgress"), condition["message"]
    return "Current", ""
