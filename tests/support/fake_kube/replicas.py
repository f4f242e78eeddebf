"""The ReplicaSet controller."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from inferfleet.api.base import Json
from support.fake_kube.api import rfc3339
from support.fake_kube.controller import (
    Controller,
    condition,
    controller_of,
    is_finished,
    is_only_status,
    is_ready,
    states,
)
from support.fake_kube.errors import ApiError
from support.fake_kube.selectors import matches_labels
from support.fake_kube.storage import Change, Key, key_of

_MANAGER = "kube-controller-manager"
_COST = "controller.kubernetes.io/pod-deletion-cost"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_RETRY_SECONDS = 1.0


def pod_name(owner: str, random: Random) -> str:
    return f"{owner[:57]}-{''.join(random.choices(_LETTERS, k=5))}"


def owner_reference(owner: Json) -> Json:
    meta = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {**reference, "controller": True, "blockOwnerDeletion": True}


@dataclass(slots=True, eq=False)
class ReplicaSets(Controller):
    """Keeps as many pods as each ReplicaSet says, and takes them away in the real one's order."""

    random: Random = field(default_factory=lambda: Random(0))
    orphans: dict[str, set[Key]] = field(default_factory=dict)

    def seen(self, change: Change) -> None:
        if change.resource.plural == "pods":
            self._note_orphan(change)
        for obj in states(change):
            if change.resource.plural == "replicasets":
                if not is_only_status(change):
                    self.dirty[key_of(obj)] = None
            elif change.resource.plural == "pods":
                owner = controller_of(obj)
                if owner is None:
                    self.dirty |= dict.fromkeys(self._would_adopt(obj))
                elif owner["kind"] == "ReplicaSet":
                    self.dirty[obj["metadata"]["namespace"], owner["name"]] = None

    def act(self, key: Key) -> None:
        stored = self.api.storage.get(self.api.resource("replicasets"), key)
        if stored is None:
            return
        replica_set, failure = stored.obj, None
        pods = self._claimed(replica_set)
        if "deletionTimestamp" not in replica_set["metadata"]:
            try:
                self._scale(replica_set, [pod for pod in pods if _is_active(pod)])
            except ApiError as error:
                failure = error
                self.later(_RETRY_SECONDS, key)
        self._report(key, failure)

    def _note_orphan(self, change: Change) -> None:
        orphans = self.orphans.setdefault(change.namespace, set())
        for obj in states(change):
            orphans.discard(key_of(obj))
        if change.after is not None and controller_of(change.after.obj) is None:
            orphans.add(key_of(change.after.obj))

    def _would_adopt(self, pod: Json) -> list[Key]:
        labels = pod["metadata"].get("labels") or {}
        found = self.api.storage.all(self.api.resource("replicasets"), pod["metadata"]["namespace"])
        return [key_of(one.obj) for one in found if matches_labels(one.obj["spec"]["selector"], labels)]

    def _claimed(self, replica_set: Json) -> list[Json]:
        """List our pods: take in orphans that match, let go of those that no longer do."""
        mine = replica_set["metadata"]
        claimed = []
        for pod in self._candidates(mine["namespace"], mine["uid"]):
            owner = controller_of(pod)
            fits = matches_labels(replica_set["spec"]["selector"], pod["metadata"].get("labels") or {})
            if owner is not None and owner["uid"] == mine["uid"]:
                if fits:
                    claimed.append(pod)
                else:
                    self._own(pod, [one for one in pod["metadata"]["ownerReferences"] if one["uid"] != mine["uid"]])
            elif owner is None and fits and _is_active(pod) and "deletionTimestamp" not in mine:
                references = pod["metadata"].get("ownerReferences") or []
                claimed.append(self._own(pod, [*references, owner_reference(replica_set)]))
        return claimed

    def _candidates(self, namespace: str, uid: str) -> list[Json]:
        """List the pods that are ours or nobody's, by name."""
        pods = self.api.resource("pods")
        ours = {key for resource, key in self.api.storage.dependents.get(uid, ()) if resource is pods}
        keys = sorted(ours | self.orphans.get(namespace, set()))
        return [stored.obj for key in keys if (stored := self.api.storage.get(pods, key)) is not None]

    def _own(self, pod: Json, references: list[Json]) -> Json:
        patch = {"metadata": {"ownerReferences": references or None}}
        return self.api.patch(self.api.resource("pods"), *key_of(pod), patch, self.hands.author(_MANAGER))

    def _scale(self, replica_set: Json, active: list[Json]) -> None:
        missing = replica_set["spec"]["replicas"] - len(active)
        if missing < 0:
            together = Counter(pod["spec"].get("nodeName") for pod in active)
            for pod in sorted(active, key=lambda pod: _rank(pod, together))[:-missing]:
                self.api.delete(self.api.resource("pods"), *key_of(pod), {})
        for _ in range(missing):
            self._create(replica_set)

    def _create(self, replica_set: Json) -> None:
        meta, template = replica_set["metadata"], replica_set["spec"]["template"]
        made = {**template.get("metadata", {}), "name": pod_name(meta["name"], self.random)}
        made["ownerReferences"] = [owner_reference(replica_set)]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": template["spec"]}
        self.api.create(self.api.resource("pods"), meta["namespace"], pod, self.hands.author(_MANAGER))

    def _report(self, key: Key, failure: ApiError | None) -> None:
        resource = self.api.resource("replicasets")
        replica_set = self.api.read(resource, *key)
        active = [pod for pod in self._claimed(replica_set) if _is_active(pod)]
        ready = sum(is_ready(pod) for pod in active)
        status: Json = {
            "replicas": len(active),
            "fullyLabeledReplicas": len(active),
            "readyReplicas": ready or None,
            "availableReplicas": ready or None,
            "observedGeneration": replica_set["metadata"]["generation"],
            "conditions": [_failed(failure, rfc3339(self.api.now()))] if failure else None,
        }
        known = condition(replica_set, "ReplicaFailure")
        if failure and known and known["message"] == failure.message:
            status["conditions"] = [known]
        self.hands.set_status(resource, {**replica_set, "status": status}, _MANAGER)


def _failed(failure: ApiError, now: str) -> Json:
    return {
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure.message,
        "lastTransitionTime": now,
    }  # fmt: skip


def _is_active(pod: Json) -> bool:
    return not is_finished(pod) and "deletionTimestamp" not in pod["metadata"]


def _rank(pod: Json, together: Counter[str | None]) -> tuple[object, ...]:
    """Order pods by who goes first: unassigned, not running, not ready, cheap, doubled up, newest."""
    node, meta = pod["spec"].get("nodeName"), pod["metadata"]
    phase = {"Pending": 0, "Unknown": 1, "Running": 2}.get((pod.get("status") or {}).get("phase", ""), 0)
    cost = int((meta.get("annotations") or {}).get(_COST, 0))
    ready_since = (condition(pod, "Ready") or {}).get("lastTransitionTime", "")
    newest = (_later_first(ready_since), _later_first(meta["creationTimestamp"]), -int(meta["resourceVersion"]))
    return (node is not None, phase, is_ready(pod), cost, -together[node], *newest)


def _later_first(moment: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in moment)
