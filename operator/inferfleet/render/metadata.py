"""Names, labels and owners of everything that we make.

The one rule: a child carries our labels and its owner, and nothing of the user's object: a copied tracking label or
annotation would make another tool take the child for its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from inferfleet.api.base import API_VERSION, KIND, Json
from inferfleet.fleet import names
from inferfleet.plan.desired import Owner


def labels(model: str, **more: str) -> dict[str, str]:
    """Label what belongs to a model; `more` may name its revision, shape, role and traffic."""
    keys = {"revision": names.REVISION, "shape": names.SHAPE, "role": names.ROLE, "traffic": names.TRAFFIC}
    return {names.MANAGED_BY: names.OPERATOR, names.MODEL: model} | {keys[key]: value for key, value in more.items()}


def serving_pods(model: str, **more: str) -> dict[str, str]:
    """Select a model's serving pods."""
    return {
        key: value for key, value in labels(model, role=names.ROLE_SERVER, **more).items() if key != names.MANAGED_BY
    }


def child(owner: Owner, name: str, marks: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> Json:
    """Write the metadata of a child that goes with its owner."""
    found = unowned(owner, name, marks, annotations)
    return found | {"ownerReferences": [owner_reference(owner)]}


def unowned(owner: Owner, name: str, marks: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> Json:
    """Write the metadata of a child that outlives its owner."""
    found: Json = {"name": name, "namespace": owner.namespace, "labels": dict(marks)}
    return found | ({"annotations": dict(annotations)} if annotations else {})


def owner_reference(owner: Owner) -> Json:
    """Point at the ModelDeployment; blocking its deletion would need a right to its finalizers."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
