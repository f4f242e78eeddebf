"""What the enforcer reads from the API server, reduced to what decides about a packet.

Rule: pure; an object that cannot send or receive (no address yet, finished, on the host's network) is no pod here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

Json = Mapping[str, Any]
FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class NamedPort:
    """A port that a container gave a name."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with an address of its own."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    address: str
    node: str = ""
    ports: tuple[NamedPort, ...] = ()


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace and its labels."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy: whom it isolates, in which directions, and what it then allows."""

    namespace: str
    name: str
    selector: Json
    ingress: tuple[Json, ...] | None
    egress: tuple[Json, ...] | None


def pod(seen: Json) -> Pod | None:
    """Read a pod; None for one that has no address of its own."""
    meta, spec, status = seen["metadata"], seen.get("spec", {}), seen.get("status", {})
    if spec.get("hostNetwork") or status.get("phase") in FINISHED:
        return None
    addresses = [given["ip"] for given in status.get("podIPs", ()) if _is_ipv4(given["ip"])]
    if not addresses:
        return None
    containers = (*spec.get("containers", ()), *spec.get("initContainers", ()))
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        labels=meta.get("labels", {}),
        address=addresses[0],
        node=spec.get("nodeName", ""),
        ports=tuple(port for container in containers for port in _named_ports(container)),
    )


def namespace(seen: Json) -> Namespace:
    """Read a namespace."""
    return Namespace(seen["metadata"]["name"], seen["metadata"].get("labels", {}))


def policy(seen: Json) -> Policy:
    """Read a policy; without `policyTypes` it isolates ingress, and egress if it says anything about it."""
    spec = seen.get("spec", {})
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return Policy(
        namespace=seen["metadata"]["namespace"],
        name=seen["metadata"]["name"],
        selector=spec.get("podSelector", {}),
        ingress=tuple(spec.get("ingress") or ()) if "Ingress" in types else None,
        egress=tuple(spec.get("egress") or ()) if "Egress" in types else None,
    )


def _named_ports(container: Json) -> list[NamedPort]:
    ports = (port for port in container.get("ports", ()) if port.get("name"))
    return [NamedPort(port["name"], port.get("protocol", "TCP"), port["containerPort"]) for port in ports]


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
