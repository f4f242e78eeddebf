"""The Job controller, for Jobs of one pod."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from inferfleet.api.base import Json
from support.fake_kube.api import rfc3339
from support.fake_kube.controller import Controller, condition, controller_of, states
from support.fake_kube.errors import ApiError
from support.fake_kube.replicas import owner_reference, pod_name
from support.fake_kube.storage import Change, Key, key_of

_MANAGER = "kube-controller-manager"
_RETRY_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class Jobs(Controller):
    """Makes a Job's pod and tells how it ended."""

    random: Random = field(default_factory=lambda: Random(1))

    def seen(self, change: Change) -> None:
        for obj in states(change):
            if change.resource.plural == "jobs":
                self.dirty[key_of(obj)] = None
            elif change.resource.plural == "pods":
                owner = controller_of(obj)
                if owner is not None and owner["kind"] == "Job":
                    self.dirty[obj["metadata"]["namespace"], owner["name"]] = None

    def act(self, key: Key) -> None:
        resource = self.api.resource("jobs")
        stored = self.api.storage.get(resource, key)
        if stored is None or "deletionTimestamp" in stored.obj["metadata"]:
            return
        if condition(stored.obj, "Complete") or condition(stored.obj, "Failed"):
            return
        job = self.api.read(resource, *key)
        pods = self._pods_of(job)
        phases = [(pod.get("status") or {}).get("phase") for pod in pods]
        failed, succeeded = phases.count("Failed"), phases.count("Succeeded")
        going = sum(_is_going(pod) for pod in pods)
        active = len(phases) - failed - succeeded - going
        lost = failed + going > job["spec"]["backoffLimit"]
        if not succeeded and not lost and not active and not job["spec"].get("suspend"):
            active += self._create(job, key)
        self._report(job, _Seen(active, failed, succeeded, going, lost=lost))

    def _pods_of(self, job: Json) -> list[Json]:
        kind, owned = self.api.resource("pods"), self.api.storage.dependents.get(job["metadata"]["uid"], ())
        found = [self.api.storage.get(kind, key) for resource, key in owned if resource is kind]
        return [stored.obj for stored in found if stored is not None]

    def _create(self, job: Json, key: Key) -> int:
        template = job["spec"]["template"]
        made = {**template.get("metadata", {}), "name": pod_name(job["metadata"]["name"], self.random)}
        made["ownerReferences"] = [owner_reference(job)]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": template["spec"]}
        try:
            self.api.create(self.api.resource("pods"), key[0], pod, self.hands.author(_MANAGER))
        except ApiError:
            self.later(_RETRY_SECONDS, key)
            return 0
        return 1

    def _report(self, job: Json, seen: _Seen) -> None:
        now = rfc3339(self.api.now())
        old = job.get("status") or {}
        status: Json = {
            "startTime": old.get("startTime", now),
            "active": seen.active or None,
            "failed": seen.failed or None,
            "succeeded": seen.succeeded or None,
            "terminating": seen.going or None,
        }
        if seen.succeeded:
            status |= {"completionTime": now, "conditions": [_ended("Complete", "CompletionsReached", now)]}
        elif seen.lost:
            before = [one for one in old.get("conditions") or [] if one["type"] == "FailureTarget"]
            kinds = ("FailureTarget",) if seen.going else ("FailureTarget", "Failed")
            written = [_ended(kind, "BackoffLimitExceeded", now) for kind in kinds]
            status["conditions"] = [*before, *written[len(before) :]]
        self.hands.set_status(self.api.resource("jobs"), {**job, "status": status}, _MANAGER)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A Job's pods, counted; a Job that is lost fails once the last of them is gone."""

    active: int
    failed: int
    succeeded: int
    going: int
    lost: bool


def _is_going(pod: Json) -> bool:
    """Tell a pod that is being deleted and has not ended: no other takes its place while one may still run."""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return "deletionTimestamp" in pod["metadata"] and not ended


def _ended(kind: str, reason: str, now: str) -> Json:
    told = (
        "Job has reached the specified backoff limit"
        if kind in ("Failed", "FailureTarget")
        else "Reached expected number of succeeded pods"
    )
    times = {"lastProbeTime": now, "lastTransitionTime": now}
    return {"type": kind, "status": "True", "reason": reason, "message": told, **times}
