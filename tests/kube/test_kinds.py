"""Paths and kinds."""

from __future__ import annotations

import pytest

from inferfleet.kube.kinds import CHILDREN, CONFIG_MAPS, EVENTS, JOBS, NODES, PODS, Ref, kind_of


def test_a_path_names_group_version_namespace_and_name() -> None:
    assert JOBS.path("team", "one") == "/apis/batch/v1/namespaces/team/jobs/one"
    assert PODS.path("team", "one", "status") == "/api/v1/namespaces/team/pods/one/status"
    assert PODS.path() == "/api/v1/pods"
    assert NODES.path("ignored", "n1") == "/api/v1/nodes/n1"
    assert Ref(PODS, "team", "one").path == "/api/v1/namespaces/team/pods/one"


@pytest.mark.parametrize("hostile", ["../secrets/x", "a/b", "a?b=c", "a#b", "%2e%2e", "a\x00b"])
def test_a_hostile_name_stays_one_part_of_the_path(hostile: str) -> None:
    path = CONFIG_MAPS.path("team", hostile)

    assert path.count("/") == CONFIG_MAPS.path("team", "x").count("/")
    assert not set("?#\x00") & set(path)


def test_an_empty_name_never_becomes_the_path_of_a_whole_collection() -> None:
    with pytest.raises(ValueError, match="a Pod without a name"):
        assert not Ref(PODS, "team", "").path


def test_a_manifest_finds_its_kind_and_an_unknown_one_does_not() -> None:
    for kind in (*CHILDREN, EVENTS):
        assert kind_of({"apiVersion": kind.api_version, "kind": kind.kind}) is kind
    with pytest.raises(ValueError, match="no Secret of v1"):
        kind_of({"apiVersion": "v1", "kind": "Secret"})
