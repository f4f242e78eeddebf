"""A cluster at one moment, kept as a place for other clusters to begin at.

The one rule: all that a new operator can know is kept, objects with their uids and the ages of pods; what an operator
had in memory is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.api.base import Json
from support.fake_kube import FakeKube
from support.fake_kube.storage import clone
from support.pods import Pods


@dataclass(frozen=True, slots=True)
class Moment:
    """The objects of a cluster, each with the plural name of its kind, since when each pod runs, and what was read."""

    version: int
    objects: tuple[tuple[str, Json], ...]
    begun: dict[str, float]
    read: frozenset[str]

    @classmethod
    def of(cls, fake: FakeKube, pods: Pods) -> Moment:
        """Keep what a cluster has come to; a stored object is never changed in place."""
        storage, kinds = fake.api.storage, fake.api.resources.values()
        objects = [(kind.plural, stored.obj) for kind in kinds for stored in storage.all(kind)]
        objects.sort(key=lambda found: int(found[1]["metadata"]["resourceVersion"]))
        begun = dict(fake.controllers.kubelets.begun)
        return cls(storage.version, tuple(objects), begun, frozenset(pods.read))

    def restore(self, fake: FakeKube, pods: Pods) -> None:
        """Let a new cluster, in which the same kinds are known, go on from here."""
        fake.controllers.kubelets.begun |= self.begun
        pods.read |= self.read
        for plural, obj in self.objects:
            fake.api.storage.put(fake.api.resource(plural), clone(obj))
        fake.run_controllers()
