"""Whether Argo CD would call a custom resource OutOfSync.

Our own statement of the rules of its three-way merge for kinds without a Go type: `applied` is what was applied last,
`git` the manifest, `live` the object in the cluster. Lists are compared whole, after keys that nobody applied are
taken from their items, position by position.
"""

from __future__ import annotations

from typing import Any

from inferfleet.api.base import Json


def out_of_sync(applied: Json, git: Json, live: Json) -> bool:
    """Tell whether a sync would change the live object."""
    return bool(_merged(live, _patch(applied, git, live)) != live)


def _patch(applied: Json, git: Json, live: Json) -> Json:
    """Write the merge patch of a sync: what git adds or changes, and what it no longer holds."""
    additions = _kept(_difference(_only_applied(applied, live), git), deletions=False)
    patch: Json = _overlaid(_kept(_difference(applied, git), deletions=True), additions)
    return patch


def _only_applied(applied: Any, live: Any) -> Any:
    if isinstance(applied, dict) and isinstance(live, dict):
        return {key: _only_applied(applied[key], value) for key, value in live.items() if key in applied}
    if isinstance(applied, list) and isinstance(live, list):
        paired = [_only_applied(ours, theirs) for ours, theirs in zip(applied, live, strict=False)]
        return paired + live[len(applied) :]
    return live


def _difference(old: Json, new: Json) -> Json:
    patch: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        if isinstance(old.get(key), dict) and isinstance(value, dict):
            inner = _difference(old[key], value)
            patch |= {key: inner} if inner else {}
        elif key not in old or old[key] != value:
            patch[key] = value
    return patch


def _kept(patch: Json, *, deletions: bool) -> Json:
    kept: Json = {}
    for key, value in patch.items():
        if isinstance(value, dict):
            inner = _kept(value, deletions=deletions)
            kept |= {key: inner} if inner else {}
        elif (value is None) == deletions:
            kept[key] = value
    return kept


def _overlaid(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _overlaid(below[key], value) if key in below else value for key, value in above.items()}


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
