"""Whose an object is, and how one of ours that somebody laid hands on is made ours again.

The one rule: an object is ours by its owner or, where nobody owns it, by our marks; never by its name alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from inferfleet.api.base import Json
from inferfleet.errors import NotReadyYet
from inferfleet.fleet import names
from inferfleet.kube import facts
from inferfleet.kube.compare import differs
from inferfleet.kube.kinds import BUDGETS, NETWORK_POLICIES, SERVICES, Kind
from inferfleet.plan.desired import Owner
from inferfleet.render.metadata import owner_reference

WHOLE: dict[Kind, tuple[tuple[str, ...], ...]] = {
    SERVICES: (("spec", "selector"),),
    BUDGETS: (("spec",), ("spec", "selector", "matchLabels")),
    NETWORK_POLICIES: (("spec",), ("spec", "podSelector", "matchLabels")),
}
"""Maps in which a key of somebody else's changes what ours mean: whom we send requests to, who may reach whom."""


def refuse_foreign(live: Json, kind: Kind, owner: Owner) -> None:
    """Stop before an object that is another's, or our own of an earlier life that is still being collected."""
    controller = facts.owner_uid(live)
    if controller == owner.uid or (not controller and (_is_marked(live, owner) or _was_ours(live))):
        return
    name = live["metadata"]["name"]
    if facts.is_of_model(live, owner.name):
        message = f"{kind.kind} {name} of an earlier {owner.name} is still being collected."
        raise NotReadyYet("WaitingForCollection", message, retry_after=2.0)
    message = f"{kind.kind} {name} exists and is not ours; delete or rename it, or rename the model."
    raise NotReadyYet("NameTaken", message, retry_after=30.0)


def _is_marked(live: Json, owner: Owner) -> bool:
    return facts.label(live, names.MANAGED_BY) == names.OPERATOR and facts.label(live, names.MODEL) == owner.name


def _was_ours(live: Json) -> bool:
    """Tell an object whose labels were taken off: the note of its manifest's digest is still there."""
    return bool(facts.annotation(live, names.APPLIED))


def marks(manifest: Json, live: Json) -> Json:
    """Write the merge patch that puts a manifest's labels and owner back on an object; empty if they are there."""
    return labelled(_owned(manifest["metadata"].get("ownerReferences", []), live), manifest, live)


def adoption(live: Json, owner: Owner) -> Json:
    """Write the merge patch that gives an object without an owner its owner back; empty if it has one."""
    return _owned([owner_reference(owner)], live)


def labelled(patch: Json, manifest: Json, live: Json) -> Json:
    """Add the manifest's labels to a merge patch if the object lacks one."""
    wanted, meta = manifest["metadata"]["labels"], live["metadata"]
    if not wanted.items() - meta.get("labels", {}).items():
        return patch
    return patch | {"metadata": {"uid": meta["uid"]} | patch.get("metadata", {}) | {"labels": wanted}}


def _owned(wanted: list[Json], live: Json) -> Json:
    """Write the merge patch that adds owners: the list is replaced as a whole, so only if it is still as we know it."""
    meta = live["metadata"]
    found = meta.get("ownerReferences", [])
    missing = [each for each in wanted if each["uid"] not in [one["uid"] for one in found]]
    guards = {key: meta[key] for key in ("uid", "resourceVersion")}
    return {"metadata": guards | {"ownerReferences": [*found, *missing]}} if missing else {}


def correction(manifest: Json, live: Json, kind: Kind, paths: list[str]) -> Json:
    """Write the merge patch for what server-side apply leaves to others; empty if there is nothing.

    `paths` are those that still differ after it: elements that others added to our lists. Keys that others added to
    our maps differ in no path and are looked for where they do harm.
    """
    patch: Json = {}
    for path in paths:
        steps = path.split(".")
        whole = steps[: next((at for at, step in enumerate(steps) if step.isdigit()), len(steps))]
        _put(patch, whole, _at(manifest, whole))
    for where in WHOLE.get(kind, ()):
        for key in _added(_at(manifest, where), _at(live, where)):
            _put(patch, (*where, key), None)
    return patch | {"metadata": {"uid": live["metadata"]["uid"]} | patch.get("metadata", {})} if patch else {}


def clearance(manifest: Json, live: Json, kind: Kind) -> Json:
    """Write the merge patch for a budget that somebody gave another measure beside or instead of ours.

    It goes before the manifest, which the API server refuses next to that measure, and brings ours along: a budget
    without any protects nobody.
    """
    if kind is not BUDGETS or not list(_added(manifest["spec"], live["spec"])):
        return {}
    return correction(manifest, live, kind, [path for path in differs(manifest, live) if path.startswith("spec.")])


def _added(wanted: Json | None, found: Json | None) -> Iterator[str]:
    yield from (found or {}).keys() - (wanted or {}).keys()


def _at(value: Any, steps: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Read what stands at a path; None where there is nothing."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _put(patch: Json, steps: Sequence[str], value: Any) -> None:  # noqa: ANN401 - as above
    for step in steps[:-1]:
        patch = patch.setdefault(step, {})
    patch[steps[-1]] = value
