"""Levers on the network: a node loses everything, or only the API server, or nearly all of its bandwidth."""

from __future__ import annotations

from dataclasses import dataclass

from e2e.rig import settings, shell
from e2e.rig.settings import API_PORT, CONTROL_IP, CONTROL_NETNS, NodeSpec

# Pods' traffic to the API server is forwarded, the node's own is output.
_CHAINS = ("OUTPUT", "FORWARD")


@dataclass(frozen=True, slots=True)
class NetworkLevers:
    """Cut, heal and slow a node's network."""

    def cut(self, node: str) -> None:
        """Pull a node's network cable: nobody reaches it, nor its pods, nor they anybody on another node."""
        _link(settings.node(node), "down")

    def heal(self, node: str) -> None:
        """Plug the cable in again, and lift every partition and limit of the node."""
        spec = settings.node(node)
        _link(spec, "up")
        self.heal_api(node)
        self.unlimit(node)

    def cut_api(self, node: str) -> None:
        """Drop what a node and its pods send to the API server; pods go on serving."""
        spec = settings.node(node)
        self.heal_api(node)
        for chain in _CHAINS:
            shell.run(_iptables(spec, "-I", chain))

    def heal_api(self, node: str) -> None:
        """Let a node reach the API server again."""
        spec = settings.node(node)
        for chain in _CHAINS:
            while shell.succeeds(_iptables(spec, "-C", chain)):
                shell.run(_iptables(spec, "-D", chain))

    def limit(self, node: str, rate: str = "1mbit") -> None:
        """Limit what reaches a node, for example to 1mbit."""
        shaper = ["root", "tbf", "rate", rate, "burst", "16kb", "latency", "50ms"]
        shell.run(_tc(settings.node(node), "replace", *shaper))

    def unlimit(self, node: str) -> None:
        """Lift the limit; it is no error if there is none."""
        shell.attempt(_tc(settings.node(node), "del", "root"))

    def run(self, *argv: str) -> str:
        """Run a program in the control plane's network namespace and return what it wrote."""
        return shell.run(shell.in_netns(CONTROL_NETNS, argv))


def _link(node: NodeSpec, state: str) -> None:
    shell.run(["ip", "-n", CONTROL_NETNS, "link", "set", node.veth, state])


def _iptables(node: NodeSpec, action: str, chain: str) -> list[str]:
    match = ["-d", CONTROL_IP, "-p", "tcp", "--dport", str(API_PORT), "-j", "DROP"]
    return shell.in_netns(node.netns, ["iptables", "-w", action, chain, *match])


def _tc(node: NodeSpec, *words: str) -> list[str]:
    verb, *rest = words
    return ["tc", "-n", CONTROL_NETNS, "qdisc", verb, "dev", node.veth, *rest]
