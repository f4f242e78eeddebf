"""One node's rules as one nftables table.

Rule: pure, and the text is a whole transaction: the old table goes and the new one comes in one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from e2e.rig.netpol.isolation import EVERYWHERE, Allowed, Cluster, Isolation, Ports, isolation
from e2e.rig.netpol.objects import Namespace, Pod, Policy

TABLE = "netpol"


@dataclass(frozen=True, slots=True)
class Node:
    """The node whose packets are judged: its name and the subnet of its pods."""

    name: str
    subnet: str


def ruleset(policies: Iterable[Policy], pods: Sequence[Pod], namespaces: Iterable[Namespace], node: Node) -> str:
    """Write the table that enforces all policies for the pods of one node."""
    cluster = Cluster(pods, {namespace.name: namespace for namespace in namespaces})
    policies = list(policies)
    local = {pod.address: pod for pod in pods if pod.node == node.name}
    return table({at: isolation(local[at], policies, cluster) for at in sorted(local)}, node)


def table(isolations: Mapping[str, Isolation], node: Node) -> str:
    """Write the table for the pods of one node, by address.

    Pods whose address is not known yet send nothing: a pod is up before the API server says where, and its
    policies must hold from its first packet. Traffic of the node itself (probes) is output, not forward.
    """
    chains = _Chains()
    egress = {at: found.egress for at, found in isolations.items() if found.egress is not None}
    ingress = {at: found.ingress for at, found in isolations.items() if found.ingress is not None}
    base = [
        "  chain pods {",
        "    type filter hook forward priority filter + 10; policy accept;",
        "    ct state established,related accept",
        *_to_oneself({*egress, *ingress}),
        f"    ip saddr {node.subnet}{_other_than(isolations)} drop",
        *chains.jumps("saddr", egress),
        *chains.jumps("daddr", ingress),
        "  }",
    ]
    lines = [f"add table ip {TABLE}", f"delete table ip {TABLE}", f"table ip {TABLE} {{", *chains.lines, *base, "}"]
    return "\n".join(lines) + "\n"


def _to_oneself(isolated: set[str]) -> list[str]:
    """No policy closes a pod to itself, which it may reach by way of a Service."""
    pairs = ", ".join(f"{at} . {at}" for at in sorted(isolated))
    return [f"    ip saddr . ip daddr {{ {pairs} }} accept"] if pairs else []


def _other_than(known: Iterable[str]) -> str:
    addresses = list(known)
    return f" ip saddr != {_set(addresses)}" if addresses else ""


class _Chains:
    """The chains that pods jump to; pods with the same rules share one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[tuple[str, ...], str] = {}

    def jumps(self, mine: str, isolated: Mapping[str, tuple[Allowed, ...]]) -> list[str]:
        """Send each isolated pod's packets, known by their `mine` address, through its chain."""
        peer = "daddr" if mine == "saddr" else "saddr"
        targets = ", ".join(f"{at} : jump {self._name(rules, peer)}" for at, rules in isolated.items())
        return [f"    ip {mine} vmap {{ {targets} }}"] if targets else []

    def _name(self, allowed: tuple[Allowed, ...], peer: str) -> str:
        body = (peer, *(line for one in allowed for line in _rules(one, peer)))
        if body not in self._names:
            self._names[body] = f"to_{len(self._names)}" if peer == "daddr" else f"from_{len(self._names)}"
            rules = ["    " + f"{line} return".lstrip() for line in body[1:]]
            self.lines += [f"  chain {self._names[body]} {{", *rules, "    drop", "  }"]
        return self._names[body]


def _rules(allowed: Allowed, peer: str) -> list[str]:
    where = "" if allowed.peers == (EVERYWHERE,) else f"ip {peer} {_set(allowed.peers)}"
    return [f"{where} {_ports(ports)}".strip() for ports in allowed.ports] or [where]


def _ports(ports: Ports) -> str:
    protocol = ports.protocol.lower()
    if not ports.first:
        return f"meta l4proto {protocol}"
    numbers = str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"
    return f"{protocol} dport {numbers}"


def _set(addresses: Sequence[str]) -> str:
    return f"{{ {', '.join(sorted(set(addresses)))} }}"
