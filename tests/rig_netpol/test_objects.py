"""From the API's objects to what counts, and from the node's own records to a pod's address."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from e2e.rig.netpol import objects
from e2e.rig.netpol.addresses import Records, fresh
from e2e.rig.netpol.enforcer import NAMESPACES, PODS, POLICIES, Enforcer
from e2e.rig.netpol.nft import Node
from e2e.rig.netpol.selectors import selects
from e2e.rig.netpol.watch import Behind, Follower


def seen(name: str = "a", address: str = "10.244.1.5", **spec: object) -> dict[str, Any]:
    status = {"phase": "Running", "podIPs": [{"ip": address}]} if address else {"phase": "Pending"}
    return {
        "metadata": {"namespace": "default", "name": name, "uid": f"uid-{name}", "resourceVersion": "7"},
        "spec": {"nodeName": "node1", "containers": [], **spec},
        "status": status,
    }


def record(directory: Path, container: str, uid: str, address: str) -> None:
    content = {"cniArgs": [["K8S_POD_UID", uid]], "result": {"ips": [{"address": f"{address}/24"}]}}
    (directory / f"rig-{container}-eth0").write_text(json.dumps(content))


def test_named_ports_of_sidecars_count_too() -> None:
    port = {"name": "metrics", "containerPort": 9000}

    pod = objects.pod(seen(initContainers=[{"ports": [port, {"containerPort": 1}]}]))

    assert pod is not None
    assert pod.ports == (objects.NamedPort("metrics", "TCP", 9000),)


@pytest.mark.parametrize(
    "given",
    [seen(hostNetwork=True), seen(address=""), seen() | {"status": {"phase": "Failed", "podIPs": [{"ip": "1.2.3.4"}]}}],
)
def test_what_has_no_address_of_its_own_is_no_pod(given: dict[str, Any]) -> None:
    assert objects.pod(given) is None


def test_an_address_is_the_ipv4_one() -> None:
    given = seen() | {"status": {"podIPs": [{"ip": "fd00::5"}, {"ip": "10.244.1.5"}]}}

    pod = objects.pod(given)

    assert pod is not None
    assert pod.address == "10.244.1.5"


def test_a_selector_with_an_operator_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="Near"):
        selects({"matchExpressions": [{"key": "a", "operator": "Near"}]}, {})


def test_a_pod_is_known_by_its_nodes_record_before_its_status_says_where_it_is(tmp_path: Path) -> None:
    records = Records(tmp_path)
    record(tmp_path, "c1", "uid-new", "10.244.1.9")
    enforcer = Enforcer(Node("node1", "10.244.1.0/24"), records.addresses)

    table = enforcer.table({PODS: [seen("new", address="")], POLICIES: [], NAMESPACES: []})

    assert "ip saddr != { 10.244.1.9 } drop" in table


def test_a_record_that_is_gone_is_forgotten_and_one_half_written_is_read_later(tmp_path: Path) -> None:
    records = Records(tmp_path)
    record(tmp_path, "c1", "uid-a", "10.244.1.9")
    (tmp_path / "rig-c2-eth0").write_text('{"cniArgs": [["K8S_')
    first = records.addresses()
    (tmp_path / "rig-c1-eth0").unlink()
    record(tmp_path, "c2", "uid-b", "10.244.1.8")

    assert first == {"uid-a": "10.244.1.9"}
    assert records.addresses() == {"uid-b": "10.244.1.8"}


def test_a_node_that_is_off_has_no_records(tmp_path: Path) -> None:
    assert Records(tmp_path / "gone").addresses() == {}


def test_the_record_of_another_pod_changes_nothing() -> None:
    assert fresh(seen(), {"uid-b": "10.244.1.8"}) == seen()


def test_a_watch_adds_changes_and_takes_away() -> None:
    changes: list[str] = []
    follower = Follower(PODS, lambda: changes.append("changed"))

    for kind, name in (("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "a"), ("BOOKMARK", "b")):
        assert follower._take({"type": kind, "object": seen(name)}) == "7"

    assert [pod["metadata"]["name"] for pod in follower.objects()] == ["b"]
    assert changes == ["changed"] * 4


def test_a_watch_that_fell_behind_says_so_and_forgets_nothing() -> None:
    follower = Follower(PODS, lambda: None)
    follower._take({"type": "ADDED", "object": seen()})

    with pytest.raises(Behind, match="too old"):
        follower._take({"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}})
    assert len(follower.objects()) == 1
