"""What the fake's controllers share: a queue of keys to look at, and time.

The one rule: a controller acts only in `step`, so that a test can hold it still, and looks at everything again then.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from inferfleet.api.base import Json
from support.fake_kube.api import Api
from support.fake_kube.apply import Author
from support.fake_kube.resources import Resource
from support.fake_kube.storage import Change, Key, key_of


@dataclass(slots=True)
class Hands:
    """What a controller works with."""

    api: Api
    clock: Callable[[], float]

    def author(self, manager: str, subresource: str = "") -> Author:
        now = self.api.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return Author(manager, subresource=subresource, time=now, tracked=not subresource)

    def set_status(self, resource: Resource, obj: Json, manager: str) -> None:
        """Write an object's status, if it changed."""
        meta = obj["metadata"]
        found = self.api.storage.get(resource, key_of(obj))
        known = (found.obj.get("status") or {}) if found else {}
        if found and all(known.get(name) == value for name, value in obj["status"].items()):
            return
        author = self.author(manager, "status")
        self.api.patch(resource, meta.get("namespace") or "", meta["name"], {"status": obj["status"]}, author)


@dataclass(slots=True, eq=False)
class Controller:
    """A controller that is off until a test turns it on."""

    hands: Hands
    enabled: bool = False
    dirty: dict[Key, None] = field(default_factory=dict)
    timers: list[tuple[float, Key]] = field(default_factory=list)

    @property
    def api(self) -> Api:
        return self.hands.api

    def seen(self, change: Change) -> None:
        """Note the keys that a change concerns."""

    def act(self, key: Key) -> None:
        """Look at one key and do what is needed."""

    def later(self, seconds: float, key: Key) -> None:
        heapq.heappush(self.timers, (self.hands.clock() + seconds, key))

    def step(self) -> bool:
        """Act on all that is due; tell whether there was any."""
        if not self.enabled:
            return False
        now = self.hands.clock()
        while self.timers and self.timers[0][0] <= now:
            self.dirty[heapq.heappop(self.timers)[1]] = None
        keys = list(self.dirty)
        self.dirty.clear()
        for key in keys:
            self.act(key)
        return bool(keys)


def controller_of(obj: Json) -> Json | None:
    """Find the owner that controls an object."""
    references = obj["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def states(change: Change) -> Iterator[Json]:
    """Give the object before and after a change."""
    return (stored.obj for stored in (change.before, change.after) if stored is not None)


def is_only_status(change: Change) -> bool:
    """Tell whether only the status changed: a controller does not wake itself."""
    if change.before is None or change.after is None:
        return False
    before, after = change.before.obj, change.after.obj
    return before.get("spec") == after.get("spec") and _identity(before) == _identity(after)


def _identity(obj: Json) -> Json:
    return {name: value for name, value in obj["metadata"].items() if name not in ("resourceVersion", "managedFields")}


def is_finished(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def condition(obj: Json, kind: str) -> Json | None:
    found = (obj.get("status") or {}).get("conditions") or []
    return next((one for one in found if one["type"] == kind), None)


def is_ready(pod: Json) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"
