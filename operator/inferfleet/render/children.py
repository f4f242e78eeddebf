"""ReplicaSets, Services, ConfigMaps, budgets and claims.

The one rule: a selector never names traffic where a controller owns pods by it: traffic changes, ownership does not.
"""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.engines.profile import EngineProfile
from inferfleet.engines.triton import TRITON
from inferfleet.fleet import names
from inferfleet.fleet.revision import Recorded
from inferfleet.plan.desired import Budget, Owner, WantedClaim, WantedSet
from inferfleet.render.metadata import child, labels, serving_pods, unowned
from inferfleet.render.overlay import lay_over
from inferfleet.render.record import NOTE, note


def replica_set(wanted: WantedSet, owner: Owner) -> Json:
    """Restore a revision's ReplicaSet from its record."""
    recorded = wanted.recorded
    own = {names.MODEL: owner.name, names.REVISION: recorded.revision, names.SHAPE: recorded.shape.short}
    marks = labels(owner.name, revision=recorded.revision, shape=recorded.shape.short)
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": child(owner, recorded.name, marks, {NOTE: note(recorded)}),
        "spec": {
            "replicas": wanted.replicas,
            "selector": {"matchLabels": own},
            "template": lay_over(dict(recorded.template), wanted.overlay),
        },
    }


def config_maps(recorded: Recorded, owner: Owner) -> tuple[Json, ...]:
    """Write a revision's ConfigMaps; nobody may change them, as nobody may change its record."""
    marks = labels(owner.name, revision=recorded.revision, shape=recorded.shape.short)
    return tuple(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": child(owner, f"{recorded.name}{suffix}", marks),
            "data": dict(content),
            "immutable": True,
        }
        for suffix, content in sorted(recorded.config_maps.items())
    )


def service(owner: Owner, profile: EngineProfile = TRITON) -> Json:
    """Write the Service that sends requests to the pods with traffic."""
    return _service(owner, names.service_name(owner.name), serving_pods(owner.name, traffic="serving"), profile)


def held_service(owner: Owner, revision: str, profile: EngineProfile = TRITON) -> Json:
    """Write the Service of a revision that has not proven itself, for checks."""
    name = names.held_service_name(owner.name, revision)
    found = _service(owner, name, serving_pods(owner.name, revision=revision, traffic="held"), profile)
    found["metadata"]["labels"][names.REVISION] = revision
    return found


def _service(owner: Owner, name: str, pods: dict[str, str], profile: EngineProfile) -> Json:
    ports = [
        {"name": port.name, "port": port.number, "targetPort": port.name, "appProtocol": port.protocol}
        for port in profile.ports
        if port.protocol
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child(owner, name, labels(owner.name)),
        "spec": {"selector": pods, "ports": ports},
    }


def budget(owner: Owner, wanted: Budget) -> Json:
    """Write how many serving pods an eviction may take; pods that are not ready never stand in its way."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child(owner, names.budget_name(owner.name), labels(owner.name)),
        "spec": {
            "maxUnavailable": wanted.max_unavailable,
            "selector": {"matchLabels": serving_pods(owner.name, traffic="serving")},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def claim(wanted: WantedClaim) -> Json:
    """Write a claim that many nodes mount; it outlives the model unless the user says otherwise."""
    owner, marks = wanted.owner, labels(wanted.owner.name)
    made = child if wanted.delete_with_model else unowned
    spec: Json = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": wanted.size}}}
    if wanted.storage_class:
        spec["storageClassName"] = wanted.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": made(owner, wanted.name, marks),
        "spec": spec,
    }
