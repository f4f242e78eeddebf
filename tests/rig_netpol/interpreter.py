"""Judges one packet by the rules of its two ends, as the nftables table does."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from e2e.rig.netpol import objects
from e2e.rig.netpol.cases import NAMESPACES, OUTSIDE, PODS, Case, Packet
from e2e.rig.netpol.isolation import Allowed, Cluster, Isolation, Ports, isolation

ADDRESSES = {pod.name: pod.address for pod in PODS} | OUTSIDE


def passes(case: Case, packet: Packet) -> bool:
    """Whether both ends let the packet through; the outside is never isolated."""
    cluster = Cluster(PODS, {namespace.name: namespace for namespace in NAMESPACES})
    policies = [objects.policy(given) for given in case.policies]
    by_name = {pod.name: isolation(pod, policies, cluster) for pod in PODS}
    sends = by_name.get(packet.source, Isolation()).egress
    receives = by_name.get(packet.target, Isolation()).ingress
    return _allows(sends, ADDRESSES[packet.target], packet) and _allows(receives, ADDRESSES[packet.source], packet)


def _allows(allowed: Iterable[Allowed] | None, peer: str, packet: Packet) -> bool:
    return allowed is None or any(_fits(one, peer, packet) for one in allowed)


def _fits(one: Allowed, peer: str, packet: Packet) -> bool:
    there = any(IPv4Address(peer) in IPv4Network(network) for network in one.peers)
    return there and (not one.ports or any(_on(ports, packet) for ports in one.ports))


def _on(ports: Ports, packet: Packet) -> bool:
    return ports.protocol == packet.protocol and (not ports.first or ports.first <= packet.port <= ports.last)
