"""What a claim that exists needs: more room, or to be tied to its model or untied; pure.

The one rule: a claim grows and never shrinks, and nothing else of it is touched.
"""

from __future__ import annotations

from kubernetes.utils.quantity import parse_quantity

from inferfleet.api.base import Json


def tie(wanted: Json, live: Json) -> Json:
    """Write the merge patch that ties a live claim to its model or unties it as wanted; empty if it is so."""
    owners = wanted["metadata"].get("ownerReferences", [])
    uids = [each["uid"] for each in owners]
    if uids == [each["uid"] for each in live["metadata"].get("ownerReferences", []) if each.get("controller")]:
        return {}
    return {"metadata": {"uid": live["metadata"]["uid"], "ownerReferences": owners}}


def growth(wanted: Json, live: Json) -> Json:
    """Write the merge patch that gives a live claim more room; empty if it has enough, or cannot take any yet."""
    is_bound = live.get("status", {}).get("phase") == "Bound"
    if not is_bound or _bytes(room_of(wanted)) <= _bytes(room_of(live)):
        return {}
    room = {"resources": {"requests": {"storage": room_of(wanted)}}}
    return {"metadata": {"uid": live["metadata"]["uid"]}, "spec": room}


def room_of(claim: Json) -> str:
    """Read how much room a claim asks for."""
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _bytes(quantity: str) -> int:
    return int(parse_quantity(quantity))  # type: ignore[no-untyped-call]  # - not typed there
