"""From policies to what one pod may send and receive: lists of addresses and ports.

Rule: pure; policies only ever add to what is allowed, and a pod that no policy selects is not isolated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from e2e.rig.netpol.objects import Namespace, Pod, Policy
from e2e.rig.netpol.selectors import selects

EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Ports:
    """A range of ports of one protocol; `first` 0 means all of them."""

    protocol: str
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Allowed:
    """One thing that is allowed: these networks, on these ports; no ports means any traffic at all."""

    peers: tuple[str, ...]
    ports: tuple[Ports, ...] = ()


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a pod may receive and send; None where nothing isolates it."""

    ingress: tuple[Allowed, ...] | None = None
    egress: tuple[Allowed, ...] | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that peers of a rule can be found in."""

    pods: Sequence[Pod]
    namespaces: Mapping[str, Namespace]

    def find(self, peer: Mapping[str, Any], home: str) -> list[Pod]:
        """List the pods that a peer means: in the policy's own namespace unless it selects others."""
        wanted = peer.get("namespaceSelector")
        names = {home} if wanted is None else {n.name for n in self.namespaces.values() if selects(wanted, n.labels)}
        selector = peer.get("podSelector") or {}
        return [pod for pod in self.pods if pod.namespace in names and selects(selector, pod.labels)]


def isolation(pod: Pod, policies: Iterable[Policy], cluster: Cluster) -> Isolation:
    """Add up what all policies that select a pod allow it."""
    mine = [p for p in policies if p.namespace == pod.namespace and selects(p.selector, pod.labels)]
    ingress = [(rule, policy.namespace) for policy in mine for rule in policy.ingress or ()]
    egress = [(rule, policy.namespace) for policy in mine for rule in policy.egress or ()]
    received = tuple(dict.fromkeys(a for rule, home in ingress for a in _ingress(rule, home, pod, cluster)))
    sent = tuple(dict.fromkeys(a for rule, home in egress for a in _egress(rule, home, cluster)))
    return Isolation(
        ingress=received if any(policy.ingress is not None for policy in mine) else None,
        egress=sent if any(policy.egress is not None for policy in mine) else None,
    )


def _ingress(rule: Mapping[str, Any], home: str, pod: Pod, cluster: Cluster) -> Iterator[Allowed]:
    numbered, named = _split(rule)
    ports = [*numbered, *(port for entry in named for port in _named(entry, pod))]
    if ports or not rule.get("ports"):
        yield from _to_all(rule.get("from"), tuple(ports), home, cluster)


def _egress(rule: Mapping[str, Any], home: str, cluster: Cluster) -> Iterator[Allowed]:
    """Allow what a rule says; a named port is that of the pod at the other end, so each such pod counts alone."""
    numbered, named = _split(rule)
    if numbered or not named:
        yield from _to_all(rule.get("to"), tuple(numbered), home, cluster)
    receivers = rule.get("to") or [{"namespaceSelector": {}}]
    for pod in [pod for peer in receivers if "ipBlock" not in peer for pod in cluster.find(peer, home)]:
        for port in [port for entry in named for port in _named(entry, pod)]:
            yield Allowed((pod.address,), (port,))


def _to_all(
    peers: Sequence[Mapping[str, Any]] | None, ports: tuple[Ports, ...], home: str, cluster: Cluster
) -> Iterator[Allowed]:
    """Allow the same ports to every peer; no peers at all means everyone."""
    for peer in peers or [{"ipBlock": {"cidr": EVERYWHERE}}]:
        if block := peer.get("ipBlock"):
            addresses = _without(block["cidr"], block.get("except") or ())
        else:
            addresses = tuple(sorted(pod.address for pod in cluster.find(peer, home)))
        if addresses:
            yield Allowed(addresses, ports)


def _without(cidr: str, exceptions: Sequence[str]) -> tuple[str, ...]:
    """Cut exceptions out of a network; of another protocol than IPv4 nothing is left."""
    if ":" in cidr:
        return ()
    left = [IPv4Network(cidr, strict=False)]
    for exception in (IPv4Network(given, strict=False) for given in exceptions if ":" not in given):
        left = [part for network in left for part in _cut(network, exception)]
    return tuple(str(network) for network in sorted(left))


def _cut(network: IPv4Network, exception: IPv4Network) -> list[IPv4Network]:
    if network.subnet_of(exception):
        return []
    return list(network.address_exclude(exception)) if exception.subnet_of(network) else [network]


def _split(rule: Mapping[str, Any]) -> tuple[list[Ports], list[Mapping[str, Any]]]:
    """Part a rule's ports into numbers and names."""
    entries = rule.get("ports") or ()
    named = [entry for entry in entries if isinstance(entry.get("port"), str)]
    return [_numbered(entry) for entry in entries if entry not in named], named


def _numbered(entry: Mapping[str, Any]) -> Ports:
    first = int(entry.get("port") or 0)
    return Ports(entry.get("protocol", "TCP"), first, int(entry.get("endPort") or first))


def _named(entry: Mapping[str, Any], pod: Pod) -> list[Ports]:
    wanted = (entry["port"], entry.get("protocol", "TCP"))
    return [Ports(p.protocol, p.number, p.number) for p in pod.ports if (p.name, p.protocol) == wanted]
