"""The audit log of everything before, replayed: no call was denied, and no rule of the chart went unused."""

from __future__ import annotations

from e2e.install import NAMESPACE
from e2e.lab import Lab, must
from e2e.rig import audit
from e2e.rig.api import Json
from e2e.scenarios.registry import scenario

ACCOUNT = f"{NAMESPACE}:inferfleet"
Right = tuple[str, str, str]


@scenario("rbac", "the audit log replayed: no denied call, no unused rule")
def rbac(lab: Lab, _whole: bool) -> None:
    lab.apply(lab.model("smollm2"))
    lab.ready("smollm2")
    used: set[Right] = set()
    denied = []
    for event in audit.events(ACCOUNT):
        reference = event.get("objectRef") or {}
        resource = reference.get("resource", "")
        if reference.get("subresource"):
            resource = f"{resource}/{reference['subresource']}"
        used.add((reference.get("apiGroup", ""), resource, event["verb"]))
        if event.get("responseStatus", {}).get("code") == 403 and "terminat" not in str(event.get("responseStatus")):
            denied.append((event["verb"], resource, reference.get("namespace")))
    must(not denied, f"denied: {denied[:5]}")
    unused = sorted(_granted(lab) - used)
    must(not unused, f"rights that nobody used: {unused}")
    lab.counted |= {"rights used": len(used), "denied": len(denied), "unused": len(unused)}


def _granted(lab: Lab) -> set[Right]:
    """Expand every rule that the chart binds to the operator."""
    roles = lab.rig.get("/apis/rbac.authorization.k8s.io/v1/clusterroles")["items"]
    roles += lab.rig.get("/apis/rbac.authorization.k8s.io/v1/roles")["items"]
    found: set[Right] = set()
    for role in roles:
        labels = role["metadata"].get("labels", {})
        if labels.get("app.kubernetes.io/name") == "inferfleet" and not _is_aggregated(labels):
            for rule in role.get("rules") or []:
                found |= {
                    (g, r, v) for g in rule.get("apiGroups", []) for r in rule["resources"] for v in rule["verbs"]
                }
    return found


def _is_aggregated(labels: Json) -> bool:
    return any(key.startswith("rbac.authorization.k8s.io/aggregate-to-") for key in labels)
