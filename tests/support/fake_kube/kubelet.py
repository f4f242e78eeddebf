"""The kubelet of every node: what becomes of a bound pod, and when.

The one rule: a pod's fate is decided by the first of the test's fates that matches it, else by its restart policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from inferfleet.api.base import Json
from support.fake_kube.api import rfc3339
from support.fake_kube.controller import Controller
from support.fake_kube.storage import Change, Key, key_of

_MANAGER = "kubelet"


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a pod.

    It runs after `starts_after` seconds and is ready `ready_after` later (None: never). With `waiting` its container
    waits for this reason instead (ImagePullBackOff, CrashLoopBackOff). A pod of a Job ends `ends_after` its start with
    `exit_code` and `message`, which becomes its termination message. Draining takes `drain_seconds`, within its grace.
    """

    starts_after: float = 0.0
    ready_after: float | None = 1.0
    waiting: str | None = None
    ends_after: float | None = None
    exit_code: int = 0
    reason: str | None = None
    message: str = ""
    restarts: int = 0
    drain_seconds: float = 0.0


SERVES = Fate()
COMPLETES = Fate(ends_after=1.0, ready_after=None)


@dataclass(slots=True, eq=False)
class Kubelets(Controller):
    """Runs the pods of every node except those that are cut off."""

    fates: list[Callable[[Json], Fate | None]] = field(default_factory=list)
    cut_off: set[str] = field(default_factory=set)
    address: Callable[[Json, int], str] = lambda _pod, number: f"10.244.{number // 250}.{number % 250 + 1}"
    begun: dict[str, float] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=count)

    def seen(self, change: Change) -> None:
        if change.resource.plural != "pods":
            return
        if change.after is None and change.before is not None:
            self.begun.pop(change.before.obj["metadata"]["uid"], None)
        elif change.after is not None and change.after.obj["spec"].get("nodeName"):
            self.dirty[key_of(change.after.obj)] = None

    def fate_of(self, pod: Json) -> Fate:
        for choose in self.fates:
            fate = choose(pod)
            if fate is not None:
                return fate
        return COMPLETES if pod["spec"].get("restartPolicy") == "Never" else SERVES

    def heal(self, node: str) -> None:
        """Let a node that was cut off go on."""
        self.cut_off.discard(node)
        for stored in self.api.storage.all(self.api.resource("pods")):
            if stored.obj["spec"].get("nodeName") == node:
                self.dirty[key_of(stored.obj)] = None

    def act(self, key: Key) -> None:
        stored = self.api.storage.get(self.api.resource("pods"), key)
        if stored is None or stored.obj["spec"].get("nodeName") in (None, *self.cut_off):
            return
        pod, fate = stored.obj, self.fate_of(stored.obj)
        if "deletionTimestamp" in pod["metadata"]:
            self._drain(pod, key, fate)
        elif (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            self._run(pod, key, fate)

    def _drain(self, pod: Json, key: Key, fate: Fate) -> None:
        """Let a deleted pod go when its drain or its grace is over."""
        uid = pod["metadata"]["uid"]
        since = self.begun.setdefault(f"{uid}/deleted", self.hands.clock())
        left = min(fate.drain_seconds, pod["metadata"]["deletionGracePeriodSeconds"]) - (self.hands.clock() - since)
        if left > 0:
            self.later(left, key)
        else:
            self.begun.pop(f"{uid}/deleted", None)
            self.api.delete(self.api.resource("pods"), *key, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})

    def _run(self, pod: Json, key: Key, fate: Fate) -> None:
        age = self.hands.clock() - self.begun.setdefault(pod["metadata"]["uid"], self.hands.clock())
        for moment in (fate.starts_after, _after(fate, fate.ready_after), _after(fate, fate.ends_after)):
            if moment is not None and moment > age:
                self.later(moment - age, key)
                break
        status = self._status(pod, fate, age)
        self.hands.set_status(self.api.resource("pods"), {**pod, "status": status}, _MANAGER)

    def _status(self, pod: Json, fate: Fate, age: float) -> Json:
        ready_at, ends_at = _after(fate, fate.ready_after), _after(fate, fate.ends_after)
        started = age >= fate.starts_after and fate.waiting is None
        ended = started and ends_at is not None and age >= ends_at
        ready = started and not ended and ready_at is not None and age >= ready_at
        phase = ("Failed" if fate.exit_code else "Succeeded") if ended else "Running" if started else "Pending"
        state = self._state(fate, started=started, ended=ended)
        old = pod.get("status") or {}
        status: Json = {"phase": phase, "conditions": _conditions(old, rfc3339(self.api.now()), ready=ready)}
        names = [container["name"] for container in pod["spec"]["containers"]]
        status["containerStatuses"] = [
            {
                "name": name,
                "ready": ready,
                "started": started,
                "restartCount": fate.restarts,
                "image": "",
                "imageID": "",
            }
            | state
            for name in names
        ]
        status["startTime"] = old.get("startTime", rfc3339(self.api.now()))
        if started:
            status["podIP"] = old.get("podIP") or self.address(pod, next(self.numbers))
        return status

    def _state(self, fate: Fate, *, started: bool, ended: bool) -> Json:
        terminated = {"exitCode": fate.exit_code, "reason": fate.reason or ("Error" if fate.exit_code else "Completed")}
        terminated |= {"message": fate.message} if fate.message else {}
        if ended:
            return {"state": {"terminated": terminated}}
        last = {"lastState": {"terminated": terminated}} if fate.restarts else {}
        if fate.waiting is not None:
            waits = {"reason": fate.waiting, "message": fate.message or fate.waiting}
            return {"state": {"waiting": waits}, **last}
        return {"state": {"running": {}} if started else {"waiting": {"reason": "ContainerCreating"}}, **last}


def _after(fate: Fate, seconds: float | None) -> float | None:
    return None if seconds is None else fate.starts_after + seconds


def _conditions(old: Json, now: str, *, ready: bool) -> list[Json]:
    """Write the conditions; a time moves only with its status."""
    before = {one["type"]: one for one in old.get("conditions") or []}
    wanted = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    written = []
    for kind, holds in wanted.items():
        status, known = str(holds), before.get(kind)
        since = known["lastTransitionTime"] if known and known["status"] == status else now
        written.append({"type": kind, "status": status, "lastTransitionTime": since})
    return written
