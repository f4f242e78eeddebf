"""A revision's hash: pinned, so that no release of ours restarts anybody's GPUs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, create_model

from api.objects import GOOD, WHOLE, deployment
from api.paths import Path, changed
from inferfleet.api.base import Frozen, Json
from inferfleet.api.parse import parse_spec
from inferfleet.api.spec import Gpu, Model, ModelDeploymentSpec
from inferfleet.fleet.revision import revision_hash, written

PINNED: tuple[tuple[str, Json], ...] = (
    ("4fcbade4", {"model": {"source": "hf://org/model"}}),
    (
        "0b2771f0",
        {
            "model": {
                "source": "hf://org/model/folder",
                "revision": "v1.0",
                "name": "chat",
                "secretRef": {"name": "s"},
            },
            "engine": {"type": "triton", "image": "registry.example.com/triton:1", "options": {"b": "2", "a": "1"}},
            "gpu": {"products": ["H100-80GB", "A100-80GB"], "count": 4},
            "replicas": 3,
            "cache": {"type": "PVC", "claim": "weights"},
            "template": {
                "labels": {"team": "search"},
                "tolerations": [{"key": "gpu", "operator": "Exists"}],
                "server": {"env": [{"name": "A", "value": "1"}], "resources": {"requests": {"cpu": 4}}},
            },
        },
    ),
)
"""Hashes that running fleets rely on: never change one."""
NOT_HASHED: tuple[tuple[Path, object], ...] = (
    (("replicas",), 3),
    (("rollout",), {}),
    (("access", "egress"), "Allow"),
    (("limits",), {}),
    (("suspend",), False),
    (("model", "secretRef"), {"name": "other"}),
    (("cache", "whenDeleted"), "Retain"),
    (("cache", "size"), "2Ti"),
)
HASHED: tuple[tuple[Path, object], ...] = (
    (("model", "source"), "hf://org/other"),
    (("model", "revision"), "v2"),
    (("model", "name"), "other"),
    (("engine", "image"), "other"),
    (("engine", "options"), {}),
    (("gpu", "count"), 8),
    (("gpu", "products"), ["L4", "H100-80GB"]),
    (("template", "labels"), {}),
    (("template", "server", "env", 0, "value"), "debug"),
)


def spec_of(raw: Json) -> ModelDeploymentSpec:
    found = parse_spec(raw)
    assert isinstance(found, ModelDeploymentSpec), found
    return found


def whole(path: Path, value: object) -> ModelDeploymentSpec:
    return spec_of({**deployment(), "spec": changed(WHOLE, path, value)})


@pytest.mark.parametrize(("pinned", "spec"), PINNED, ids=["a source alone", "most fields"])
def test_a_hash_is_pinned(pinned: str, spec: Json) -> None:
    assert revision_hash(spec_of({**deployment(), "spec": spec})) == pinned


@pytest.mark.parametrize(("path", "value"), NOT_HASHED, ids=str)
def test_what_needs_no_new_pod_makes_no_revision(path: Path, value: object) -> None:
    assert revision_hash(whole(path, value)) == revision_hash(spec_of({**deployment(), "spec": WHOLE}))


@pytest.mark.parametrize(("path", "value"), HASHED, ids=str)
def test_what_needs_new_pods_makes_a_revision(path: Path, value: object) -> None:
    assert revision_hash(whole(path, value)) != revision_hash(spec_of({**deployment(), "spec": WHOLE}))


def test_a_default_that_is_written_out_is_no_other_revision() -> None:
    plain = spec_of(deployment())
    spelled = spec_of(deployment(gpu={"products": []}, cache={"type": "Auto"}, template={"labels": {}}, engine={}))

    assert revision_hash(spelled) == revision_hash(plain)


def test_a_restart_is_another_revision_and_the_same_one_each_time() -> None:
    spec = spec_of(deployment())

    first, second = (revision_hash(spec, "2026-11-25T10:00:00Z") for _ in range(2))

    assert first == second != revision_hash(spec)


defaults = st.one_of(st.booleans(), st.integers(0, 99), st.text(max_size=9), st.just(None), st.just(()))


@given(name=st.from_regex(r"new_[a-z]{1,8}", fullmatch=True), default=defaults)
def test_a_field_that_a_later_release_adds_changes_no_hash(name: str, default: object) -> None:
    later = _grown(ModelDeploymentSpec, name, default)

    for good in GOOD:
        spec = spec_of(good.raw)
        same = later.model_validate_json(spec.model_dump_json(by_alias=True, exclude_unset=True))
        assert revision_hash(same) == revision_hash(spec)


def _grown(spec: type[ModelDeploymentSpec], name: str, default: object) -> type[ModelDeploymentSpec]:
    """Add an optional field to two objects that are hashed, as a later release would."""
    field = (object, Field(default=default))

    def grown(model: type[Frozen]) -> type[Frozen]:
        return create_model(model.__name__, __base__=model, **{name: field})  # type: ignore[call-overload, no-any-return]  # - names are chance's

    model, gpu = grown(Model), grown(Gpu)
    fields = {"model": (model, Field()), "gpu": (gpu, Field(default=gpu()))}
    return create_model(spec.__name__, __base__=spec, **fields)  # type: ignore[call-overload, no-any-return]  # - as above


def test_what_is_recorded_is_what_was_written() -> None:
    assert written(spec_of(deployment(replicas=5, gpu={"count": 2}))) == {
        "model": {"source": "hf://org/model"},
        "gpu": {"count": 2},
    }
