"""When a live object is what we render."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.api.base import Json
from inferfleet.kube.compare import differs

values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=2), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(["spec", "data", "metadata"]), values)


@pytest.mark.parametrize(
    ("rendered", "live"),
    [
        ({"spec": {"replicas": 1}}, {"spec": {"replicas": 1, "minReadySeconds": 0}}),
        ({"metadata": {"labels": {"a": "b"}}}, {"metadata": {"labels": {"a": "b", "theirs": "x"}}}),
        ({"spec": {"egress": [], "note": "", "flag": False, "zero": 0, "map": {}}}, {"spec": {}}),
        ({"spec": {"none": None}}, {"spec": {"none": 1}}),
        ({"spec": {"ports": [{"port": 80}]}}, {"spec": {"ports": [{"port": 80, "protocol": "TCP"}]}}),
        ({"spec": {"ports": [{"targetPort": 80}]}}, {"spec": {"ports": [{"targetPort": "80"}]}}),
        (
            {"spec": {"resources": {"limits": {"memory": "1024Mi"}}}},
            {"spec": {"resources": {"limits": {"memory": "1Gi"}}}},
        ),
        ({"spec": {"resources": {"requests": {"cpu": "0.5"}}}}, {"spec": {"resources": {"requests": {"cpu": "500m"}}}}),
        ({"spec": {"resources": {"limits": {"gpu": 8}}}}, {"spec": {"resources": {"limits": {"gpu": "8"}}}}),
        ({"spec": {"emptyDir": {"sizeLimit": "1024Mi"}}}, {"spec": {"emptyDir": {"sizeLimit": "1Gi"}}}),
        (
            {"metadata": {"ownerReferences": [{"uid": "ours"}], "finalizers": ["x"]}},
            {"metadata": {"ownerReferences": [{"uid": "theirs"}, {"uid": "ours"}], "finalizers": ["y", "x"]}},
        ),
    ],
)
def test_what_others_add_or_rewrite_is_no_difference(rendered: Json, live: Json) -> None:
    assert differs(rendered, live) == []


@pytest.mark.parametrize(
    ("rendered", "live", "paths"),
    [
        ({"spec": {"replicas": 0}}, {"spec": {"replicas": 1}}, ["spec.replicas"]),
        ({"spec": {"maxUnavailable": 0}}, {"spec": {"minAvailable": 0}}, ["spec.maxUnavailable"]),
        ({"spec": {"a": {"b": 1, "c": 2}}}, {"spec": {"a": {"b": 2, "c": 3}}}, ["spec.a.b", "spec.a.c"]),
        ({"spec": {"args": ["a", "b"]}}, {"spec": {"args": ["b", "a"]}}, ["spec.args.0", "spec.args.1"]),
        ({"spec": {"args": ["a"]}}, {"spec": {"args": ["a", "b"]}}, ["spec.args"]),
        ({"spec": {"containers": [{"name": "a"}]}}, {"spec": {}}, ["spec.containers"]),
        ({"spec": {"flag": False}}, {"spec": {"flag": True}}, ["spec.flag"]),
        ({"spec": {"flag": True}}, {"spec": {"flag": 1}}, ["spec.flag"]),
        ({"data": {"limits": "1024Mi"}}, {"data": {"limits": "1Gi"}}, ["data.limits"]),
        ({"spec": {"nodeSelector": {"storage": "1024Mi"}}}, {"spec": {"nodeSelector": {"storage": "1Gi"}}}, None),
        ({"spec": {"resources": {"limits": {"cpu": "1"}}}}, {"spec": {"resources": {"limits": {"cpu": "x"}}}}, None),
        ({"metadata": {"ownerReferences": [{"uid": "a"}]}}, {"metadata": {"ownerReferences": [{"uid": "b"}]}}, None),
        ({"spec": {"a": {"b": 1}}}, {"spec": {"a": "text"}}, ["spec.a"]),
    ],
)
def test_a_field_of_ours_that_is_not_as_rendered_is_named(rendered: Json, live: Json, paths: list[str] | None) -> None:
    found = differs(rendered, live)

    assert found
    assert paths is None or found == paths


@given(rendered=objects)
def test_an_object_never_differs_from_itself(rendered: Json) -> None:
    assert differs(rendered, rendered) == []


@given(rendered=objects, extra=objects)
def test_fields_beside_ours_never_matter(rendered: Json, extra: Json) -> None:
    assert differs(rendered, {**extra, **rendered}) == []
