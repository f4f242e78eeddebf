"""ControllerRevisions: everything a revision was made of, written once, and read back.

The one rule: what is read is what was written; nothing in it is rendered again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.api.parse import parse_spec
from inferfleet.errors import SpecError
from inferfleet.fleet import names
from inferfleet.fleet.packed import Packed
from inferfleet.fleet.revision import Recorded, Shape
from inferfleet.fleet.weights import Repository
from inferfleet.plan.desired import CachePlan, Owner, ServingPlan, WantedRecord
from inferfleet.render import template
from inferfleet.render.metadata import child, labels

LARGEST = 900_000
"""Bytes: an object of the API server holds 1 MiB and a little."""
LARGEST_NOTE = 128_000
"""Bytes of the annotation from which a lost record is made again: all annotations together hold 256 KiB."""
NOTE = "inferfleet.dev/recorded"
PACKED = ("cache", "template", "config_maps")


class _Kept(BaseModel):
    """The data of a record; fields of a newer operator are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    revision: str
    shape: Shape
    products: tuple[str, ...] = ()
    commit: str
    spec: dict[str, Any]
    template: dict[str, Any] = {}
    config_maps: dict[str, dict[str, str]] = {}
    repository: Repository
    model: str
    engine: str
    image: str
    cache: CachePlan
    restarted: str = ""
    why: str = ""


def record(wanted: WantedRecord, config: FleetConfig) -> Json:
    """Write the ControllerRevision of a revision and shape."""
    serving = wanted.serving
    kept = _Kept(
        revision=serving.revision,
        shape=serving.shape,
        products=serving.products,
        commit=serving.repository.commit,
        spec=serving.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        template=template.pod_template(serving, config),
        config_maps=template.config_maps(serving),
        repository=_short(serving.repository, serving.model),
        model=serving.model,
        engine="triton",
        image=serving.image,
        cache=serving.cache,
        restarted=wanted.restarted,
        why=wanted.why,
    )
    return _object(serving.owner, kept, wanted.number)


def read_record(found: Json) -> Recorded:
    """Read a ControllerRevision of ours; ValueError if it is none."""
    try:
        kept = _Kept.model_validate(found["data"])
        metadata, number = found["metadata"], int(found["revision"])
        name, uid = str(metadata["name"]), str(metadata.get("uid", ""))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("the ControllerRevision holds no revision of ours") from error
    notes = metadata.get("annotations") or {}
    return Recorded(
        name=name,
        uid=uid,
        number=number,
        proven=notes.get(names.PROVEN, ""),
        good=notes.get(names.GOOD, ""),
        failed=notes.get(names.FAILED, ""),
        deaths=notes.get(names.DEATHS, ""),
        template=Packed(kept.template),
        config_maps=Packed(kept.config_maps),
        **{field: getattr(kept, field) for field in _Kept.model_fields if field not in PACKED},
        cache=asdict(kept.cache),
    )


def note(recorded: Recorded) -> str:
    """Write what a ReplicaSet carries of its record, so that a lost one can be made again."""
    kept = _of(recorded)
    text = _text(kept, recorded.number)
    if len(text.encode()) <= LARGEST_NOTE:
        return text
    chosen = tuple(model for model in kept.repository.models if model.name == recorded.model)
    repository = kept.repository.model_copy(update={"models": chosen})
    return _text(kept.model_copy(update={"spec": {}, "repository": repository}), recorded.number)


def rebuild(replica_set: Json, maps: Iterable[Json], owner: Owner) -> Json:
    """Make a lost record again from its ReplicaSet and ConfigMaps; ValueError if they are not enough."""
    metadata, pods = replica_set["metadata"], replica_set["spec"]["template"]
    try:
        noted = json.loads(metadata.get("annotations", {})[NOTE])
        number = int(noted["number"])
        kept = _Kept.model_validate(noted["data"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("the ReplicaSet carries no record of ours") from error
    prefix = metadata["name"]
    found = {
        each["metadata"]["name"].removeprefix(prefix): each.get("data", {})
        for each in maps
        if each["metadata"]["name"].startswith(prefix)
    }
    bare = {"metadata": _given(pods["metadata"]), "spec": pods["spec"]}
    made = _object(owner, kept.model_copy(update={"template": bare, "config_maps": found}), number)
    if pods["metadata"]["labels"].get(names.TRAFFIC) == "serving":
        made["metadata"]["annotations"] = {names.PROVEN: metadata["creationTimestamp"]}
    return made


def is_outdated(recorded: Recorded, owner: Owner, config: FleetConfig) -> bool:
    """Tell whether the revision would be rendered otherwise now: by a newer operator or with newer defaults."""
    spec = parse_spec({"metadata": {"name": owner.name}, "spec": recorded.spec})
    if isinstance(spec, tuple):
        return False
    serving = ServingPlan(
        owner=owner,
        spec=spec,
        revision=recorded.revision,
        shape=recorded.shape,
        products=recorded.products,
        model=recorded.model,
        image=spec.engine.image or config.images.triton,
        repository=recorded.repository,
        cache=CachePlan(**recorded.cache),
    )
    now = template.template_digest(template.pod_template(serving, config))
    return now != template.template_digest(dict(recorded.template))


def _object(owner: Owner, kept: _Kept, number: int) -> Json:
    name = names.revision_name(owner.name, kept.revision, kept.shape.short)
    data = kept.model_dump(mode="json", by_alias=True)
    size = len(json.dumps(data).encode())
    if size > LARGEST:
        raise SpecError(
            "SpecTooLarge",
            f"spec.template: the revision's record has {size} bytes; {LARGEST} are allowed. Move long values of env, "
            "annotations and volumes into ConfigMaps.",
        )
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": child(owner, name, labels(owner.name, revision=kept.revision, shape=kept.shape.short)),
        "data": data,
        "revision": number,
    }


def _short(repository: Repository, model: str) -> Repository:
    """Leave out the texts: that a model has a configuration is kept, and the probe of the model that is probed."""
    models = tuple(
        each.model_copy(
            update={
                "config": None if each.config is None else "",
                "probe": each.probe if each.name == model else None,
                "files": each.files if each.config is None else (),
            }
        )
        for each in repository.models
    )
    return repository.model_copy(update={"models": models, "listing": ()})


def _of(recorded: Recorded) -> _Kept:
    fields = {field: getattr(recorded, field) for field in _Kept.model_fields if field not in PACKED}
    return _Kept(**fields, cache=CachePlan(**recorded.cache))


def _text(kept: _Kept, number: int) -> str:
    data = kept.model_dump(mode="json", by_alias=True, exclude={"template", "config_maps"})
    return json.dumps({"number": number, "data": data}, sort_keys=True, separators=(",", ":"))


def _given(metadata: Json) -> Json:
    return {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
