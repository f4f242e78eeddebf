"""NetworkPolicies: who reaches a model's pods, and whom they reach."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from inferfleet.api.base import Json
from inferfleet.plan.desired import WantedPolicies
from inferfleet.render.policies import policies
from render.values import CONFIG, OWNER, check_golden, check_schema, config

CLUSTER = config(
    network={
        "apiServerCidrs": ["203.0.113.10/32", "2001:db8::1/128"],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    },
    fetch={"egress": [{"cidr": "10.9.8.7/32", "port": 8443}]},
)


def wanted(*, egress: bool = False, downloads: bool = False) -> WantedPolicies:
    return WantedPolicies(OWNER, serving_egress=egress, pod_downloads=downloads)


def allows(rules: list[Json], address: str, port: int) -> bool:
    """Whether egress rules let TCP to this address and port through."""
    return any(_port(rule, port) and _peer(rule, address) for rule in rules)


def _port(rule: Json, port: int) -> bool:
    return "ports" not in rule or any(each["port"] == port and each["protocol"] == "TCP" for each in rule["ports"])


def _peer(rule: Json, address: str) -> bool:
    if "to" not in rule:
        return True
    found = ip_address(address)
    blocks = [peer["ipBlock"] for peer in rule["to"]]
    return any(
        found in ip_network(block["cidr"]) and not any(found in ip_network(out) for out in block.get("except", []))
        for block in blocks
    )


def test_the_policies_of_a_model() -> None:
    check_golden("networkpolicies", *policies(wanted(), CLUSTER))


def test_a_serving_pod_reaches_nobody() -> None:
    serving, _, _ = policies(wanted(), CLUSTER)

    assert "Egress" in serving["spec"]["policyTypes"]
    assert "egress" not in serving["spec"]


def test_a_serving_pod_reaches_everybody_when_the_user_says_so() -> None:
    serving, _, _ = policies(wanted(egress=True, downloads=True), CLUSTER)

    assert serving["spec"]["egress"] == [{}]


@pytest.mark.parametrize("which", ["serving", "hub"])
@pytest.mark.parametrize(
    ("address", "port", "reached"),
    [
        ("198.51.100.7", 443, True),
        ("2001:db9::1", 443, True),
        ("198.51.100.7", 80, False),
        ("198.51.100.7", 6443, False),
        ("10.1.2.3", 443, False),
        ("172.20.0.1", 443, False),
        ("192.168.1.1", 443, False),
        ("100.64.0.1", 443, False),
        ("169.254.169.254", 443, False),
        ("fd00::1", 443, False),
        ("fe80::1", 443, False),
        ("203.0.113.10", 443, False),
        ("2001:db8::1", 443, False),
        ("10.9.8.7", 8443, True),
        ("10.9.8.7", 443, False),
        ("10.1.2.3", 53, True),
    ],
)
def test_a_download_reaches_names_public_addresses_and_what_the_chart_adds(
    which: str, address: str, port: int, reached: bool
) -> None:
    serving, _, hub = policies(wanted(downloads=True), CLUSTER)

    rules = (serving if which == "serving" else hub)["spec"]["egress"]
    assert allows(rules, address, port) is reached


def test_a_claim_is_looked_at_without_any_network() -> None:
    _, downloads, hub = policies(wanted(), CONFIG)

    assert downloads["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in downloads["spec"]
    assert hub["spec"]["podSelector"]["matchLabels"]["inferfleet.dev/source"] == "hub"


def test_metrics_and_progress_are_for_the_operator_and_named_readers() -> None:
    serving, downloads, _ = policies(wanted(), CLUSTER)
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "inferfleet-system"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "inferfleet"}},
    }

    asked, metrics = serving["spec"]["ingress"]
    assert "from" not in asked
    assert [port["port"] for port in asked["ports"]] == [8000, 8001]
    assert metrics["from"] == [operator, *CLUSTER.network.metrics_from]
    assert [port["port"] for port in metrics["ports"]] == [8002]
    assert downloads["spec"]["ingress"] == [{"from": [operator], "ports": [{"protocol": "TCP", "port": 8080}]}]


def test_an_api_server_that_may_be_anywhere_closes_the_public_network() -> None:
    everywhere = config(network={"apiServerCidrs": ["0.0.0.0/0", "::/0"]})
    _, _, hub = policies(wanted(), everywhere)

    check_schema(hub)
    assert not allows(hub["spec"]["egress"], "198.51.100.7", 443)
    assert allows(hub["spec"]["egress"], "198.51.100.7", 53)
