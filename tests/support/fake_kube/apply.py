"""Server-side apply and the bookkeeping of field owners; pure.

The one rule: a field that its last owner stops naming is removed, and nobody takes a field from another without force.
"""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.api.base import Json
from support.fake_kube.errors import ApiError, bad_request, cause, invalid
from support.fake_kube.fields import Owner, Path, fields_of, merge, read_owners, remove, write_owners
from support.fake_kube.resources import Resource, Value
from support.fake_kube.storage import clone

_GUARDS = ("namespace", "uid", "resourceVersion")


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, how, to which part, and when; who is not tracked owns nothing, which saves most of the time."""

    manager: str
    operation: str = "Update"
    subresource: str = ""
    time: str = ""
    force: bool = False
    tracked: bool = True


def applied(live: Json | None, wanted: Json, author: Author, resource: Resource) -> Json:
    """Lay what is wanted over the live object."""
    if wanted["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    base = live or {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": {}}
    owners = read_owners(base)
    mine = _own(owners, author, resource)
    fields = fields_of(_part(wanted, author, resource), resource)
    now = fields_of(base, resource)
    for other in owners:
        if other is not mine:
            taken = {path for path in other.paths & fields.keys() if now.get(path) != fields[path]}
            if taken and not author.force:
                raise _conflicts(other, taken)
            other.paths -= taken
    merged = clone(merge(base, _part(wanted, author, resource), resource))
    for path in sorted(mine.paths - fields.keys(), key=len):
        if not any(_holds(other, path) for other in owners if other is not mine):
            remove(merged, path, resource)
    _refuse_null(mine.paths - fields.keys(), fields, wanted, resource)
    mine.paths = set(fields)
    merged["metadata"]["managedFields"] = write_owners(owners)
    return merged


def _refuse_null(dropped: set[Path], fields: dict[Path, Value], wanted: Json, resource: Resource) -> None:
    """Refuse an empty map of a user's type in which the same owner had fields, as the real one does."""
    for path, value in fields.items():
        if resource.full and value == {} and any(gone[: len(path)] == path for gone in dropped):
            field = ".".join(step.removeprefix("f:") for step in path)
            told = f'Invalid value: "null": {field} in body must be of type object: "null"'
            raise invalid(f"{resource.kind}.{resource.group}", wanted["metadata"]["name"], [cause(field, told)])


def updated(before: Json | None, after: Json, author: Author, resource: Resource) -> Json:
    """Note who owns what after an update that was no apply."""
    owners = read_owners(before) if before else []
    old = fields_of(before, resource) if before else {}
    new = fields_of(after, resource)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    gone = old.keys() - new.keys()
    mine = _own(owners, author, resource)
    for owner in owners:
        owner.paths -= gone
        if owner is not mine:
            owner.paths -= changed
    mine.paths |= changed
    if changed:
        mine.time = author.time
    return {**after, "metadata": {**after["metadata"], "managedFields": write_owners(owners)}}


def same_but_for_times(one: Json, other: Json) -> bool:
    """Tell whether nothing changed: neither the object nor who owns what."""
    if _without_owners(one) != _without_owners(other):
        return False
    known = one["metadata"].get("managedFields")
    return known == other["metadata"].get("managedFields") or _ownership(one) == _ownership(other)


def _own(owners: list[Owner], author: Author, resource: Resource) -> Owner:
    """Find the author's entry, or begin one."""
    key = author.manager, author.operation, author.subresource
    for owner in owners:
        if owner.key == key:
            if author.operation == "Apply":
                owner.time = author.time
            return owner
    owners.append(Owner(*key, resource.api_version, author.time, set()))
    return owners[-1]


def _part(wanted: Json, author: Author, resource: Resource) -> Json:
    """Keep of an applied configuration what its (sub)resource may write."""
    names = ("apiVersion", "kind", "metadata")
    if author.subresource:
        kept = {"name": wanted["metadata"]["name"]} | _chosen(wanted["metadata"], _GUARDS)
        return {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": kept} | _chosen(
            wanted, (author.subresource,)
        )
    if not resource.has_status:
        return wanted
    return _chosen(wanted, names) | {name: value for name, value in wanted.items() if name not in (*names, "status")}


def _chosen(obj: Json, names: tuple[str, ...]) -> Json:
    return {name: obj[name] for name in names if name in obj}


def _holds(owner: Owner, path: Path) -> bool:
    """Tell whether somebody owns this field or one below it."""
    return any(other[: len(path)] == path for other in owner.paths)


def _conflicts(other: Owner, paths: set[Path]) -> ApiError:
    fields = [".".join(step.removeprefix("f:") for step in path) for path in sorted(paths)]
    told = ", ".join(f".{name}" for name in fields)
    message = f'Apply failed with {len(fields)} conflict: conflict with "{other.manager}": {told}'
    causes = [cause(f".{name}", f'conflict with "{other.manager}"', "FieldManagerConflict") for name in fields]
    return ApiError(409, "Conflict", message, {"causes": causes})


def _without_owners(obj: Json) -> Json:
    meta = {name: value for name, value in obj["metadata"].items() if name not in ("managedFields", "resourceVersion")}
    return {**obj, "metadata": meta}


def _ownership(obj: Json) -> dict[tuple[str, str, str], set[Path]]:
    return {owner.key: owner.paths for owner in read_owners(obj) if owner.paths}
