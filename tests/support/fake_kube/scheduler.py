"""The scheduler: binds pods to nodes that have room, and says of the others why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from kubernetes.utils.quantity import parse_quantity

from inferfleet.api.base import Json
from support.fake_kube.api import rfc3339
from support.fake_kube.controller import Controller, condition, is_finished
from support.fake_kube.selectors import matches_requirement
from support.fake_kube.storage import Change, Key, clone, key_of

_MANAGER = "kube-scheduler"
_EFFECTS = ("NoSchedule", "NoExecute")


@dataclass(slots=True, eq=False)
class Scheduler(Controller):
    """Looks at every pending pod again whenever a node or a pod changed."""

    pending: dict[Key, None] = field(default_factory=dict)
    used: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def seen(self, change: Change) -> None:
        if change.resource.plural == "pods":
            self._account(change)
        if change.resource.plural == "nodes":
            self.dirty |= self.pending
        elif change.resource.plural == "pods":
            if change.after is None or is_finished(change.after.obj):
                self.dirty |= self.pending
            elif not change.after.obj["spec"].get("nodeName"):
                self.dirty[key_of(change.after.obj)] = None

    def act(self, key: Key) -> None:
        pods = self.api.resource("pods")
        stored = self.api.storage.get(pods, key)
        self.pending.pop(key, None)
        if stored is None or stored.obj["spec"].get("nodeName") or "deletionTimestamp" in stored.obj["metadata"]:
            return
        reasons: Counter[str] = Counter()
        fitting, wanted = [], requests_of(stored.obj)
        for node in self.api.storage.all(self.api.resource("nodes")):
            why = self._why_not(stored.obj, wanted, node.obj)
            if why is None:
                fitting.append(node.obj)
            else:
                reasons[why] += 1
        if fitting:
            self._bind(stored.obj, max(fitting, key=lambda node: _preference(stored.obj, node)))
        else:
            self.pending[key] = None
            self._say(stored.obj, reasons)

    def _why_not(self, pod: Json, wanted: dict[str, Decimal], node: Json) -> str | None:
        if node["spec"].get("unschedulable"):
            return "node(s) were unschedulable"
        if not all(_tolerated(taint, pod) for taint in node["spec"].get("taints") or [] if taint["effect"] in _EFFECTS):
            return "node(s) had untolerated taint(s)"
        if not _selected(pod, node):
            return "node(s) didn't match Pod's node affinity/selector"
        free = self._free(node)
        short = [name for name, value in wanted.items() if value > free.get(name, Decimal(0))]
        return f"Insufficient {short[0]}" if short else None

    def _account(self, change: Change) -> None:
        """Keep what the running pods of each node take."""
        for stored, sign in ((change.before, -1), (change.after, 1)):
            if stored is not None and stored.obj["spec"].get("nodeName") and not is_finished(stored.obj):
                taken = self.used.setdefault(stored.obj["spec"]["nodeName"], {})
                for name, value in requests_of(stored.obj).items():
                    taken[name] = taken.get(name, Decimal(0)) + sign * value

    def _free(self, node: Json) -> dict[str, Decimal]:
        taken = self.used.get(node["metadata"]["name"], {})
        allocatable = node["status"]["allocatable"].items()
        return {name: amount(value) - taken.get(name, Decimal(0)) for name, value in allocatable}

    def _bind(self, pod: Json, node: Json) -> None:
        """Bind as the binding subresource does, past the rule that a pod's spec is fixed."""
        bound = clone(pod)
        bound["spec"]["nodeName"] = node["metadata"]["name"]
        bound["status"]["conditions"] = [_scheduled("True", rfc3339(self.api.now()))]
        self.api.storage.put(self.api.resource("pods"), bound)

    def _say(self, pod: Json, reasons: Counter[str]) -> None:
        nodes = sum(reasons.values())
        told = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items()))
        message = f"0/{nodes} nodes are available: {told}." if nodes else "no nodes available to schedule pods"
        known = condition(pod, "PodScheduled")
        if known is not None and known.get("message") == message:
            return
        told_condition = _scheduled("False", rfc3339(self.api.now())) | {"reason": "Unschedulable", "message": message}
        status = {**pod["status"], "conditions": [told_condition]}
        self.hands.set_status(self.api.resource("pods"), {**pod, "status": status}, _MANAGER)


@lru_cache(maxsize=1024)
def amount(value: str) -> Decimal:
    parsed: Decimal = parse_quantity(value)  # type: ignore[no-untyped-call]  # - not typed there
    return parsed


def requests_of(pod: Json) -> dict[str, Decimal]:
    """Sum what a pod's containers ask for; an init container counts where it asks for more."""
    total: dict[str, Decimal] = {"pods": Decimal(1)}
    for container in pod["spec"].get("containers", []):
        for name, value in ((container.get("resources") or {}).get("requests") or {}).items():
            total[name] = total.get(name, Decimal(0)) + amount(value)
    for container in pod["spec"].get("initContainers", []):
        for name, value in ((container.get("resources") or {}).get("requests") or {}).items():
            total[name] = max(total.get(name, Decimal(0)), amount(value))
    return total


def _scheduled(status: str, now: str) -> Json:
    return {"type": "PodScheduled", "status": status, "lastTransitionTime": now}


def _tolerated(taint: Json, pod: Json) -> bool:
    return any(_tolerates(one, taint) for one in pod["spec"].get("tolerations") or [])


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    same_key = bool(toleration.get("key") == taint["key"])
    return same_key and bool(toleration.get("value", "") == taint.get("value", ""))


def _selected(pod: Json, node: Json) -> bool:
    labels = node["metadata"].get("labels") or {}
    if (pod["spec"].get("nodeSelector") or {}).items() - labels.items():
        return False
    required = _node_affinity(pod).get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term(term, node) for term in required["nodeSelectorTerms"])


def _preference(pod: Json, node: Json) -> tuple[int, str]:
    wishes = _node_affinity(pod).get("preferredDuringSchedulingIgnoredDuringExecution") or []
    weight = sum(wish["weight"] for wish in wishes if _term(wish["preference"], node))
    return weight, node["metadata"]["name"]


def _node_affinity(pod: Json) -> Json:
    return (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}


def _term(term: Json, node: Json) -> bool:
    labels, name = node["metadata"].get("labels") or {}, {"metadata.name": node["metadata"]["name"]}
    return all(matches_requirement(one, labels) for one in term.get("matchExpressions") or []) and all(
        matches_requirement(one, name) for one in term.get("matchFields") or []
    )
