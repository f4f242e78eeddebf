"""`python -m e2e.rig.netpol.packets`: hold real packets in throw-away network namespaces to the table of cases.

Rule: two nodes with bridges as the rig has them, one namespace per pod; nothing of a running rig is touched and
everything is gone afterwards. Needs root.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from e2e.rig import shell
from e2e.rig.netpol import objects
from e2e.rig.netpol.case_table import CASES
from e2e.rig.netpol.cases import NAMESPACES, NODES, OUTSIDE, PODS, Case, Packet
from e2e.rig.netpol.nft import Node, ruleset
from e2e.rig.netpol.sockets import echoes, reaches

PREFIX = "npcase-"
ROUTER = PREFIX + "router"
STRANGER = "10.244.1.99"


def main() -> int:
    """Run every case; print each packet that went another way than the table says."""
    began, tried, wrong = time.monotonic(), 0, 0
    everything = [packet for case in CASES for packet in (*case.allowed, *case.denied)]
    try:
        build()
        with echoes({name: (PREFIX + name, at) for name, at in addresses().items()}, everything):
            for case in CASES:
                count, surprises = run(case)
                tried, wrong = tried + count, wrong + len(surprises)
                print("\n".join([f"{'ok  ' if not surprises else 'WRONG'} {case.name}", *surprises]), flush=True)
    finally:
        remove()
    print(f"{tried - wrong} of {tried} packets as expected, {time.monotonic() - began:.1f} s")
    return 1 if wrong else 0


def addresses() -> dict[str, str]:
    """Say where everybody lives, one pod included that the rules know nothing of."""
    return {pod.name: pod.address for pod in PODS} | OUTSIDE | {"stranger": STRANGER}


def run(case: Case) -> tuple[int, list[str]]:
    """Apply a case on both nodes and try its packets, all at once."""
    policies = [objects.policy(given) for given in case.policies]
    for name, subnet in NODES.items():
        table = ruleset(policies, PODS, NAMESPACES, Node(name, subnet))
        shell.run(shell.in_netns(PREFIX + name, ["nft", "-f", "-"]), stdin=table)
    expected = dict.fromkeys(case.allowed, True) | dict.fromkeys(case.denied, False)
    expected |= {Packet("stranger", "far"): False, Packet("stranger", "office"): False}
    with ThreadPoolExecutor(len(expected)) as pool:
        seen = dict(zip(expected, pool.map(_reaches, expected), strict=True))
    surprises = [packet for packet in expected if seen[packet] != expected[packet]]
    return len(expected), [f"      {one} {'passed' if seen[one] else 'was stopped'}" for one in surprises]


def _reaches(packet: Packet) -> bool:
    return reaches(PREFIX + packet.source, addresses()[packet.target], packet)


def build() -> None:
    """Make the router, the nodes and everybody's namespace."""
    remove()
    _namespace(ROUTER)
    for number, (name, subnet) in enumerate(NODES.items(), start=1):
        _namespace(PREFIX + name)
        _link(ROUTER, f"n{number}", PREFIX + name, "eth0")
        _ip(ROUTER, f"addr add 172.29.{number}.1/24 dev n{number}")
        _ip(PREFIX + name, f"addr add 172.29.{number}.2/24 dev eth0")
        _ip(PREFIX + name, f"route add default via 172.29.{number}.1")
        _ip(ROUTER, f"route add {subnet} via 172.29.{number}.2")
        _ip(PREFIX + name, "link add cni0 type bridge")
        _ip(PREFIX + name, f"addr add {_gateway(subnet)}/24 dev cni0")
        _ip(PREFIX + name, "link set cni0 up")
    for name, address in addresses().items():
        _member(name, address)


def remove() -> None:
    """Delete every namespace of ours, also those that a killed run left."""
    for line in shell.run(["ip", "netns", "list"]).splitlines():
        if line.startswith(PREFIX):
            shell.run(["ip", "netns", "del", line.split()[0]])


def _member(name: str, address: str) -> None:
    """Attach a pod to its node's bridge, or an outside host to the router."""
    node = next((PREFIX + n for n, subnet in NODES.items() if _gateway(subnet) == _gateway(address)), ROUTER)
    inside = PREFIX + name
    _namespace(inside)
    _link(node, f"v-{name}", inside, "eth0")
    if node == ROUTER:
        _ip(node, f"addr add {_gateway(address)}/24 dev v-{name}")
    else:
        _ip(node, f"link set v-{name} master cni0")
    _ip(inside, f"addr add {address}/24 dev eth0")
    _ip(inside, f"route add default via {_gateway(address)}")


def _gateway(address: str) -> str:
    return address.rpartition(".")[0] + ".1"


def _namespace(name: str) -> None:
    shell.run(["ip", "netns", "add", name])
    _ip(name, "link set lo up")
    shell.run(shell.in_netns(name, ["sysctl", "-qw", "net.ipv4.ip_forward=1"]))


def _link(near: str, near_name: str, far: str, far_name: str) -> None:
    shell.run(["ip", "link", "add", near_name, "netns", near, "type", "veth", "peer", "name", far_name, "netns", far])
    _ip(near, f"link set {near_name} up")
    _ip(far, f"link set {far_name} up")


def _ip(namespace: str, words: str) -> None:
    shell.run(["ip", "-n", namespace, *words.split()])


if __name__ == "__main__":
    sys.exit(main())
