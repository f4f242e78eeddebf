"""The audit log replayed after a model lived through everything: no call denied, no rule of the chart unused.

The one rule: the rights are read from the cluster, so that a rule added to the chart must be used here.
"""

from __future__ import annotations

from e2e.install import NAMESPACE
from e2e.lab import Lab, must, wait_for
from e2e.operators import ACCOUNT, wait_for_leader
from e2e.rig import audit
from e2e.rig.api import Json
from e2e.scenarios.registry import scenario

NAME = "smollm2"
BARE = "hf://inferfleet/smollm2-bare"
Right = tuple[str, str, str]
STRIPPED = (
    "configmaps", "controllerrevisions", "jobs", "networkpolicies", "persistentvolumeclaims", "poddisruptionbudgets",
    "services",
)  # fmt: skip
SPARE_RECORDS = 5
"""How many records of revisions that are not in use the operator keeps."""


@scenario("rbac", "the audit log replayed: no denied call, no unused rule", limit_seconds=400)
def rbac(lab: Lab, _whole: bool) -> None:
    _live_through_everything(lab)
    used, denied = _replayed()
    must(not denied, f"denied: {denied[:5]}")
    unused = sorted(_granted(lab) - used)
    must(not unused, f"rights that nobody used: {unused}")
    lab.counted |= {"rights used": len(used), "denied": len(denied), "unused": len(unused)}


def _live_through_everything(lab: Lab) -> None:
    """Do to a model what needs the rarer rights: changes by hand, revisions that fail, another leader."""
    lab.apply(lab.model(NAME, BARE))
    lab.ready(NAME)
    lab.patch(NAME, {"cache": {"whenDeleted": "Delete"}})
    wait_for(lambda: lab.children("persistentvolumeclaims")[0]["metadata"].get("ownerReferences"), "an owned claim", 20)
    for kind in STRIPPED:
        _strip(lab, kind)
    _end_a_pod(lab)
    for number in range(SPARE_RECORDS + 2):
        lab.patch(NAME, {"engine": {"image": f"registry.rig.local/none:{number}"}})
        wait_for(lambda number=number: _newest(lab) >= number + 2, "a record of the revision", 30)  # type: ignore[misc]  # - bound at once
    wait_for(lambda: len(lab.children("controllerrevisions")) <= SPARE_RECORDS + 2, "old records to go", 60)
    lab.patch(NAME, {"engine": {"image": None}, "model": {"source": "hf://inferfleet/smollm2-triton"}})
    lab.ready(NAME)
    wait_for(lambda: not lab.children("configmaps"), "the ConfigMap of the first revision to go", 60)
    lab.apply(lab.model("too-large", gpu={"count": 12}))
    lab.reason("too-large", "Scheduled", "TooFewGpusOnOneNode")
    # Another leader tells the same story, and counts the event up.
    leader = wait_for_leader(lab)
    lab.rig.kubectl("-n", NAMESPACE, "delete", "pod", leader, "--wait=false")
    wait_for(lambda: wait_for_leader(lab) != leader, "another leader", 60)
    lab.patch("too-large", {"gpu": {"count": 1}, "template": {"nodeSelector": {"nobody": "bears-this"}}})
    lab.reason("too-large", "Scheduled", "NodesUnavailable")
    lab.patch("too-large", {"gpu": {"count": 12}, "template": None})
    lab.reason("too-large", "Scheduled", "TooFewGpusOnOneNode")
    lab.delete(NAME)
    wait_for(lambda: not lab.children("networkpolicies", NAME), "the policies to go after the last pod", 120)


def _end_a_pod(lab: Lab) -> None:
    """Let a serving pod have ended by itself, as after an eviction by its kubelet: the operator clears it away."""
    pod = lab.pods(NAME)[0]["metadata"]
    ended = '{"status": {"phase": "Failed", "reason": "Evicted"}}'
    lab.rig.kubectl(
        "-n", lab.namespace, "patch", "pod", pod["name"], "--subresource=status", "--type=merge", "-p", ended
    )
    wait_for(lambda: pod["uid"] not in [each["metadata"]["uid"] for each in lab.pods(NAME)], "the ended pod to go", 60)
    lab.ready(NAME)


def _strip(lab: Lab, kind: str) -> None:
    """Take the labels off a child, and wait until it has them again."""
    child = lab.children(kind, NAME)[0]["metadata"]
    lab.rig.kubectl("-n", lab.namespace, "label", kind, child["name"], "app.kubernetes.io/managed-by-")
    wait_for(lambda: child["uid"] in [each["metadata"]["uid"] for each in lab.children(kind, NAME)], f"{kind} back", 20)


def _newest(lab: Lab) -> int:
    numbers: list[int] = [each["revision"] for each in lab.children("controllerrevisions", NAME)]
    return max(numbers)


def _replayed() -> tuple[set[Right], list[Right]]:
    """List the rights that were used, and the calls that were denied."""
    used, denied = set[Right](), list[Right]()
    for event in audit.events(ACCOUNT):
        reference = event.get("objectRef") or {}
        resource = reference.get("resource", "")
        if reference.get("subresource"):
            resource = f"{resource}/{reference['subresource']}"
        right = (reference.get("apiGroup", ""), resource, event["verb"])
        answer = event.get("responseStatus", {})
        used.add(right)
        if event["verb"] == "patch" and answer.get("code") == 201:
            # A server-side apply of something new needs the right to create it.
            used.add((*right[:2], "create"))
        if answer.get("code") == 403 and "being terminated" not in str(answer):
            denied.append(right)
    return used, denied


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
