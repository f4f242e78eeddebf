"""Checks of what is done to nodes. Each puts back what it changed and says what it saw."""

from __future__ import annotations

from e2e.rig.rig import Rig
from e2e.rig.selfcheck import workload
from e2e.rig.watch import always, eventually


def gpu(rig: Rig) -> str:
    """Break a GPU: it leaves allocatable, and comes back when repaired."""
    rig.levers.gpu.fail(workload.NODE, 7)
    gone = eventually("allocatable", lambda: workload.allocatable(rig), "7")
    rig.levers.gpu.heal(workload.NODE)
    back = eventually("allocatable", lambda: workload.allocatable(rig), "8")
    return f"8 -> 7 after {gone:.1f} s, 8 again after {back:.1f} s"


def fill(rig: Rig) -> str:
    """Let a stranger take every free GPU of a node."""
    free = 8 - 1  # the workload's own pod has one
    name = rig.levers.node.fill(workload.NODE, free)
    path = f"/api/v1/namespaces/foreign/pods/{name}"
    taken = eventually("the stranger", lambda: rig.get(path)["status"]["phase"], "Running")
    rig.levers.node.empty(workload.NODE)
    eventually("strangers", lambda: rig.get("/api/v1/namespaces/foreign/pods")["items"], [])
    return f"{name} holds {free} GPUs after {taken:.1f} s, and is sent away"


def marks(rig: Rig) -> str:
    """Set a cordon and a taint and take them back."""
    rig.levers.node.cordon(workload.NODE)
    assert workload.node(rig)["spec"]["unschedulable"] is True
    rig.levers.node.uncordon(workload.NODE)
    rig.levers.node.taint(workload.NODE, "rig/check")
    assert "rig/check" in {taint["key"] for taint in workload.node(rig)["spec"]["taints"]}
    rig.levers.node.untaint(workload.NODE, "rig/check")
    eventually("marks", lambda: workload.node(rig)["spec"].get("taints"), None)
    return "unschedulable and taint set, both removed"


def limit(rig: Rig) -> str:
    """Slow a link down and set it free."""
    fast = workload.transfer(rig)
    rig.levers.network.limit(workload.NODE, "1mbit")
    slow = workload.transfer(rig)
    rig.levers.network.unlimit(workload.NODE)
    assert slow > 10 * fast, f"{slow:.3f} s is not much slower than {fast:.3f} s"
    return f"64 kB in {slow:.2f} s instead of {fast:.3f} s"


def cut(rig: Rig) -> str:
    """Take a node off the network: it is noticed, and comes back."""
    rig.levers.network.cut(workload.NODE)
    unknown = eventually("Ready", lambda: workload.ready(rig), "Unknown")
    rig.levers.network.heal(workload.NODE)
    healed = eventually("Ready", lambda: workload.ready(rig), "True")
    workload.settled(rig)
    return f"Ready=Unknown after {unknown:.1f} s, True {healed:.1f} s after the heal"


def cut_api(rig: Rig) -> str:
    """Take only the API server from a node: its pods go on serving."""
    address = workload.pod_on(rig, workload.NODE)["status"]["podIP"]
    rig.levers.network.cut_api(workload.NODE)
    unknown = eventually("Ready", lambda: workload.ready(rig), "Unknown")
    always("the pod serves", lambda: workload.serves(address))
    rig.levers.network.heal_api(workload.NODE)
    healed = eventually("Ready", lambda: workload.ready(rig), "True")
    workload.settled(rig)
    return f"Ready=Unknown after {unknown:.1f} s while its pod answers, True {healed:.1f} s after the heal"


def kubelet(rig: Rig) -> str:
    """Kill a kubelet: its containers go on."""
    address = workload.pod_on(rig, workload.NODE)["status"]["podIP"]
    rig.levers.node.stop_service(workload.NODE, "kubelet")
    unknown = eventually("Ready", lambda: workload.ready(rig), "Unknown")
    always("the pod serves", lambda: workload.serves(address))
    rig.levers.node.start_service(workload.NODE, "kubelet")
    healed = eventually("Ready", lambda: workload.ready(rig), "True")
    gpus = eventually("allocatable", lambda: workload.allocatable(rig), "8")
    workload.settled(rig)
    return f"Ready=Unknown after {unknown:.1f} s, True {healed:.1f} s after its start, GPUs {gpus:.1f} s later"


def power(rig: Rig) -> str:
    """Switch a node off and on: it is silent, then the same pods run again."""
    before = workload.pod_on(rig, workload.NODE)["metadata"]["uid"]
    address = workload.pod_on(rig, workload.NODE)["status"]["podIP"]
    rig.levers.node.power_off(workload.NODE)
    assert not workload.serves(address)
    rig.levers.node.power_on(workload.NODE)
    back = eventually("the pod", lambda: workload.restarted(rig, before), within_s=60)
    gpus = eventually("allocatable", lambda: workload.allocatable(rig), "8")
    return f"the same pod runs again {back:.1f} s after power came back, GPUs {gpus:.1f} s later"
