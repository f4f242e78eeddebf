"""The table as text: what nftables is given for a node."""

from __future__ import annotations

from e2e.rig.netpol import objects
from e2e.rig.netpol.case_table import DENY_BOTH, DENY_INGRESS, DOCUMENTED
from e2e.rig.netpol.cases import NAMESPACES, PODS, policy
from e2e.rig.netpol.nft import Node, ruleset

NODE = Node("node1", "10.244.1.0/24")

GOLDEN = """\
add table ip netpol
delete table ip netpol
table ip netpol {
  chain to_0 {
    ip daddr { 10.0.0.0/24 } tcp dport 5978 return
    drop
  }
  chain from_1 {
    ip saddr { 172.17.0.0/24, 172.17.128.0/17, 172.17.16.0/20, 172.17.2.0/23, 172.17.32.0/19, 172.17.4.0/22, \
172.17.64.0/18, 172.17.8.0/21 } tcp dport 6379 return
    ip saddr { 10.244.1.21, 10.244.2.21 } tcp dport 6379 return
    ip saddr { 10.244.1.12, 10.244.2.11 } tcp dport 6379 return
    drop
  }
  chain pods {
    type filter hook forward priority filter + 10; policy accept;
    ct state established,related accept
    ip saddr . ip daddr { 10.244.1.11 . 10.244.1.11 } accept
    ip saddr 10.244.1.0/24 ip saddr != { 10.244.1.11, 10.244.1.12, 10.244.1.21 } drop
    ip saddr vmap { 10.244.1.11 : jump to_0 }
    ip daddr vmap { 10.244.1.11 : jump from_1 }
  }
}
"""


def test_the_documented_example_as_a_table() -> None:
    assert ruleset([objects.policy(policy(DOCUMENTED))], PODS, NAMESPACES, NODE) == GOLDEN


def test_a_node_without_known_pods_lets_none_send() -> None:
    table = ruleset([], [pod for pod in PODS if pod.node != "node1"], NAMESPACES, NODE)

    assert "    ip saddr 10.244.1.0/24 drop\n" in table


def test_pods_with_the_same_rules_share_a_chain() -> None:
    table = ruleset([objects.policy(policy(DENY_INGRESS))], PODS, NAMESPACES, NODE)

    assert table.count("chain ") == 2
    assert "10.244.1.11 : jump from_0, 10.244.1.12 : jump from_0" in table


def test_the_order_of_what_was_seen_does_not_matter() -> None:
    policies = [objects.policy(policy(spec)) for spec in (DOCUMENTED, DENY_BOTH)]

    assert ruleset(policies, PODS, NAMESPACES, NODE) == ruleset(policies, PODS[::-1], NAMESPACES[::-1], NODE)
