"""What a claim that exists needs: more room, or to be tied to its model or untied; pure.

The one rule: a claim grows and never shrinks, and nothing else of it is touched.
"""

from __future__ import annotations

from kubernetes.utils.quantity import parse_quantity

from inferfleet.api.base import Json


def claim_patch(wanted: Json, live: Json) -> Json:
    """Write the merge patch that makes a live claim as wanted; empty if it is."""
    patch: Json = {}
    room = wanted["spec"]["resources"]["requests"]["storage"]
    if _bytes(room) > _bytes(live["spec"]["resources"]["requests"]["storage"]):
        patch["spec"] = {"resources": {"requests": {"storage": room}}}
    owners = wanted["metadata"].get("ownerReferences", [])
    uids = [each["uid"] for each in owners]
    if uids != [each["uid"] for each in live["metadata"].get("ownerReferences", []) if each.get("controller")]:
        patch["metadata"] = {"ownerReferences": owners}
    if not patch:
        return {}
    return patch | {"metadata": patch.get("metadata", {}) | {"uid": live["metadata"]["uid"]}}


def _bytes(quantity: str) -> int:
    return int(parse_quantity(quantity))  # type: ignore[no-untyped-call]  # - not typed there
