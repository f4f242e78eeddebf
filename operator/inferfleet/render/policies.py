"""NetworkPolicies: whom a model's pods reach, and who reaches them.

The one rule: policies add up, so each opens one thing and none relies on another to close it. They have no owner: the
garbage collector would take them with their model, minutes before pods that drain.
"""

from __future__ import annotations

from functools import cache
from ipaddress import ip_network

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.engines.profile import EngineProfile
from inferfleet.engines.triton import TRITON
from inferfleet.fleet import names
from inferfleet.plan.desired import Owner, WantedPolicies
from inferfleet.render.commands import PROGRESS_PORT
from inferfleet.render.metadata import labels, serving_pods, unowned

SOURCE = "inferfleet.dev/source"
HUB, CLAIM = "hub", "claim"
PRIVATE = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8",
)  # fmt: skip
EVERYONE = ("0.0.0.0/0", "::/0")


def hub_policy_name(model: str) -> str:
    """Name the NetworkPolicy that lets downloads reach the hub."""
    return f"{model}.hub"


def policies(wanted: WantedPolicies, config: FleetConfig, profile: EngineProfile = TRITON) -> tuple[Json, ...]:
    """Write the policies of serving pods, of download Jobs, and of those that reach a hub."""
    owner = wanted.owner
    downloads = {names.MODEL: owner.name, names.ROLE: names.ROLE_DOWNLOAD}
    serving = _policy(owner, names.serving_policy_name(owner.name), serving_pods(owner.name))
    serving["spec"] |= {"policyTypes": ["Ingress", "Egress"], "ingress": _serving_ingress(config, profile)}
    egress = [{}] if wanted.serving_egress else to_hub(config) if wanted.pod_downloads else []
    if egress:
        serving["spec"]["egress"] = egress
    closed = _policy(owner, names.download_policy_name(owner.name), downloads)
    progress = {"from": [_operator(config)], "ports": [_tcp(PROGRESS_PORT)]}
    closed["spec"] |= {"policyTypes": ["Ingress", "Egress"], "ingress": [progress]}
    hub = _policy(owner, hub_policy_name(owner.name), downloads | {SOURCE: HUB})
    hub["spec"] |= {"policyTypes": ["Egress"], "egress": to_hub(config)}
    return serving, closed, hub


def to_hub(config: FleetConfig) -> list[Json]:
    """Write what a download reaches: names, public addresses by TLS, and what the chart adds."""
    names_of_anyone = {"ports": [{"protocol": "UDP", "port": 53}, _tcp(53)]}
    public = [peer for everyone in EVERYONE if (peer := _public(everyone, config))]
    added = [
        {"to": [{"ipBlock": {"cidr": str(ip_network(rule.cidr, strict=False))}}], "ports": [_tcp(rule.port)]}
        for rule in config.fetch.egress
    ]
    # An empty list of peers would mean everyone.
    return [names_of_anyone, *([{"to": public, "ports": [_tcp(443)]}] if public else []), *added]


def _public(everyone: str, config: FleetConfig) -> Json | None:
    shut = _shut(everyone, config.network.api_server_cidrs)
    return None if shut is None else {"ipBlock": {"cidr": everyone, "except": list(shut)}}


@cache
def _shut(everyone: str, api_server: tuple[str, ...]) -> tuple[str, ...] | None:
    """List what is not public; None where nothing is."""
    whole = ip_network(everyone)
    closed = [ip_network(cidr, strict=False) for cidr in (*PRIVATE, *api_server)]
    if whole in closed:
        return None
    return tuple(dict.fromkeys(str(network) for network in closed if network.version == whole.version))


def _serving_ingress(config: FleetConfig, profile: EngineProfile) -> list[Json]:
    asked = {"ports": [_tcp(profile.port("http")), _tcp(profile.port("grpc"))]}
    readers = [_operator(config), *config.network.metrics_from]
    return [asked, {"from": readers, "ports": [_tcp(profile.port("metrics"))]}]


def _operator(config: FleetConfig) -> Json:
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": config.namespace}},
        "podSelector": {"matchLabels": dict(config.operator_labels)},
    }


def _tcp(port: int) -> Json:
    return {"protocol": "TCP", "port": port}


def _policy(owner: Owner, name: str, pods: dict[str, str]) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": unowned(owner, name, labels(owner.name)),
        "spec": {"podSelector": {"matchLabels": pods}},
    }
