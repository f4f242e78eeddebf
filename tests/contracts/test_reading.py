"""What an API server answers to reads, watches and simple writes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from inferfleet.errors import KubeError
from inferfleet.kube.client import Scope
from inferfleet.kube.kinds import CONFIG_MAPS, PODS, Kind, Ref
from support.fake_kube.manifests import config_map
from support.fake_kube.under_test import Server


async def test_an_object_that_is_not_there_is_none(server: Server) -> None:
    assert await server.client.get(CONFIG_MAPS, server.namespace, "nothing") is None


@pytest.mark.parametrize(
    "kind", [Kind("no.such.group", "v1", "things", "Thing"), Kind("apps", "v1", "things", "Thing")]
)
async def test_a_kind_that_is_not_there_is_an_error_on_listing(server: Server, kind: Kind) -> None:
    with pytest.raises(KubeError) as error:
        await server.client.list(kind, server.scope)

    assert error.value.status == 404


async def test_what_was_created_has_a_uid_and_a_version_that_is_a_number(server: Server) -> None:
    made = await server.client.create(config_map("one", {"a": "1"}, server.namespace))

    assert made["metadata"]["uid"]
    assert int(made["metadata"]["resourceVersion"]) > 0
    assert await server.client.get(CONFIG_MAPS, server.namespace, "one") == made


async def test_creating_twice_is_refused_and_ensuring_returns_the_first(server: Server) -> None:
    first = await server.client.create(config_map("one", {"a": "1"}, server.namespace))

    with pytest.raises(KubeError) as error:
        await server.client.create(config_map("one", {"a": "2"}, server.namespace))

    assert (error.value.status, error.value.reason) == (409, "AlreadyExists")
    assert await server.client.ensure(config_map("one", {"a": "2"}, server.namespace)) == first


async def test_every_page_of_a_listing_shows_the_moment_of_the_first(server: Server) -> None:
    for index in range(5):
        await server.client.create(config_map(f"page-{index}", {}, server.namespace, labels={"in": "list"}))
    path, query = CONFIG_MAPS.path(server.namespace), {"limit": "2", "labelSelector": "in=list"}
    first = await server.ask("GET", path, query)
    await server.client.create(config_map("page-late", {}, server.namespace, labels={"in": "list"}))

    second = await server.ask("GET", path, {**query, "continue": first["metadata"]["continue"]})
    third = await server.ask("GET", path, {**query, "continue": second["metadata"]["continue"]})

    names = [item["metadata"]["name"] for page in (first, second, third) for item in page["items"]]
    assert names == [f"page-{index}" for index in range(5)]
    assert third["metadata"].get("continue", "") == ""
    assert {page["metadata"]["resourceVersion"] for page in (second, third)} == {first["metadata"]["resourceVersion"]}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=front", ["a"]),
        ("tier!=front", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier in (front,back)", ["a", "b"]),
        ("tier notin (front),own=yes", ["b", "c"]),
    ],
)
async def test_a_label_selector_chooses(server: Server, selector: str, names: list[str]) -> None:
    for name, labels in (("a", {"tier": "front"}), ("b", {"tier": "back"}), ("c", {})):
        await server.client.create(config_map(name, {}, server.namespace, labels={"own": "yes", **labels}))

    found = await server.client.list(CONFIG_MAPS, Scope(server.namespace, f"own=yes,{selector}"))

    assert [item["metadata"]["name"] for item in found] == names


async def test_a_field_selector_chooses_by_name(server: Server) -> None:
    for name in ("a", "b"):
        await server.client.create(config_map(name, {}, server.namespace))

    found = await server.ask("GET", CONFIG_MAPS.path(server.namespace), {"fieldSelector": "metadata.name=b"})

    assert [item["metadata"]["name"] for item in found["items"]] == ["b"]


async def test_a_watch_shows_what_happened_after_its_version(server: Server) -> None:
    before = await server.client.create(config_map("old", {}, server.namespace))
    version = before["metadata"]["resourceVersion"]
    made = await server.client.apply(config_map("one", {"a": "1"}, server.namespace))
    changed = await server.client.apply(config_map("one", {"a": "2"}, server.namespace))
    await server.client.delete(Ref(CONFIG_MAPS, server.namespace, "one"), made["metadata"]["uid"])

    events = await server.events(CONFIG_MAPS, version, 3)

    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event["object"]["data"] for event in events] == [{"a": "1"}, {"a": "2"}, {"a": "2"}]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions[:2] == [int(one["metadata"]["resourceVersion"]) for one in (made, changed)]
    assert versions[2] > versions[1]


async def test_an_object_that_leaves_a_selector_is_told_as_deleted_and_may_come_back(server: Server) -> None:
    scope = Scope(server.namespace, "mine=yes")
    first = await server.client.create(config_map("one", {"a": "1"}, server.namespace, labels={"mine": "yes"}))
    ref = Ref(CONFIG_MAPS, server.namespace, "one")
    left = await server.client.merge_patch(ref, {"metadata": {"labels": {"mine": "no"}}, "data": {"a": "2"}})
    back = await server.client.merge_patch(ref, {"metadata": {"labels": {"mine": "yes"}}})

    events = await server.events(CONFIG_MAPS, first["metadata"]["resourceVersion"], 2, scope)

    assert [event["type"] for event in events] == ["DELETED", "ADDED"]
    assert {event["object"]["metadata"]["uid"] for event in events} == {first["metadata"]["uid"]}
    versions = [event["object"]["metadata"]["resourceVersion"] for event in events]
    assert versions == [one["metadata"]["resourceVersion"] for one in (left, back)]
    assert events[0]["object"]["data"] == {"a": "1"}


async def test_a_watch_from_a_forgotten_version_is_told_that_it_is_gone(server: Server) -> None:
    if server.fake is not None:
        server.fake.compact()

    with pytest.raises(KubeError) as error:
        await server.events(CONFIG_MAPS, "1", 1)

    assert error.value.status == 410
    assert error.value.reason == "Expired"


async def test_a_watch_without_a_version_first_shows_what_there_is(server: Server) -> None:
    await server.client.create(config_map("one", {}, server.namespace, labels={"in": "watch"}))

    events = await server.events(CONFIG_MAPS, "0", 1, Scope(server.namespace, "in=watch"))

    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("ADDED", "one")]


async def test_a_watch_sends_a_bookmark_shortly_before_it_ends(server: Server) -> None:
    made = await server.client.create(config_map("one", {}, server.namespace))
    version = made["metadata"]["resourceVersion"]

    seconds = 3 if server.fake else 10

    async with (
        asyncio.timeout(15),
        aclosing(server.client.watch(CONFIG_MAPS, server.scope, version, seconds)) as stream,
    ):
        first = await anext(stream)

    assert first["type"] == "BOOKMARK"
    assert int(first["object"]["metadata"]["resourceVersion"]) >= int(version)


async def test_items_of_a_listing_carry_metadata_as_objects_do(server: Server) -> None:
    made = await server.client.create(config_map("one", {"a": "1"}, server.namespace, labels={"in": "list"}))

    found = await server.client.list(CONFIG_MAPS, Scope(server.namespace, "in=list"))

    assert found == [{name: value for name, value in made.items() if name not in ("apiVersion", "kind")}]


async def test_nothing_of_a_new_namespace_runs(server: Server) -> None:
    assert await server.client.list(PODS, server.scope) == []
