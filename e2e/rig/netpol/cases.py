"""What NetworkPolicies mean: the examples of the API's documentation and its fine print, as a table.

Rule: a case says who may reach whom and who may not; the pure rules and real packets are held to the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e.rig.netpol.objects import NamedPort, Namespace, Pod

NODES = {"node1": "10.244.1.0/24", "node2": "10.244.2.0/24"}
OUTSIDE = {"office": "172.17.0.9", "guests": "172.17.1.9", "partner": "10.0.0.9"}
NAMESPACES = (
    Namespace("default", {"kubernetes.io/metadata.name": "default"}),
    Namespace("mine", {"kubernetes.io/metadata.name": "mine", "project": "myproject", "user": "alice"}),
    Namespace("theirs", {"kubernetes.io/metadata.name": "theirs", "user": "bob"}),
)


def _pod(name: str, address: str, labels: dict[str, str], http: int = 0, namespace: str = "default") -> Pod:
    ports = (NamedPort("http", "TCP", http),) if http else ()
    return Pod(namespace, name, labels, address, f"node{address.split('.')[2]}", ports)


PODS = (
    _pod("db", "10.244.1.11", {"role": "db", "tier": "back"}, http=80),
    _pod("web", "10.244.1.12", {"role": "frontend", "tier": "front"}, http=8080),
    _pod("far", "10.244.2.11", {"role": "frontend", "tier": "front"}, http=80),
    _pod("other", "10.244.2.12", {"role": "other"}),
    _pod("client", "10.244.1.21", {"role": "client"}, namespace="mine"),
    _pod("twin", "10.244.2.21", {"role": "frontend"}, namespace="mine"),
    _pod("guest", "10.244.2.31", {"role": "client"}, namespace="theirs"),
)


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection."""

    source: str
    target: str
    port: int = 80
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True)
class Case:
    """Policies, and what they let through and stop."""

    name: str
    policies: tuple[Mapping[str, Any], ...]
    allowed: tuple[Packet, ...]
    denied: tuple[Packet, ...]


def packets(text: str) -> tuple[Packet, ...]:
    """Read `web>db:6379 other>db:53/UDP`; the port is 80 and the protocol TCP where nothing is said."""
    found = []
    for word in text.split():
        source, _, rest = word.partition(">")
        target, _, port = rest.partition(":")
        number, _, protocol = port.partition("/")
        found.append(Packet(source, target, int(number or 80), protocol or "TCP"))
    return tuple(found)


def policy(spec: Mapping[str, Any], namespace: str = "default") -> Mapping[str, Any]:
    """Wrap a policy's spec in an object."""
    return {"metadata": {"namespace": namespace, "name": "case"}, "spec": spec}


def case(name: str, *policies: Mapping[str, Any], allowed: str = "", denied: str = "") -> Case:
    """Make a case of specs (which are put into `default`) or whole policies."""
    whole = tuple(given if "metadata" in given else policy(given) for given in policies)
    return Case(name, whole, packets(allowed), packets(denied))
