"""Checks of what is done to the control plane, containers, rights, tokens and volumes."""

from __future__ import annotations

import http.client
import time

from e2e.rig.api import Api, Json
from e2e.rig.rig import Rig
from e2e.rig.selfcheck import workload
from e2e.rig.settings import API_PORT, CONTROL_IP, NODES
from e2e.rig.watch import eventually


def plain(rig: Rig) -> str:
    """Use the cluster as anybody would: exec, logs, DNS, a Service and a volume across nodes."""
    one, two = (workload.pod_on(rig, node.name)["metadata"]["name"] for node in NODES)
    within = ("-n", workload.NAMESPACE)
    assert rig.kubectl(*within, "exec", one, "--", "echo", "hello") == "hello\n"
    assert "started" in rig.kubectl(*within, "logs", one)
    found = rig.kubectl(*within, "exec", one, "--", "nslookup", f"web.{workload.NAMESPACE}.svc.cluster.local")
    service = rig.get(f"/api/v1/namespaces/{workload.NAMESPACE}/services/web")["spec"]["clusterIP"]
    assert service in found, found
    for node in NODES:
        assert workload.fetch_from(node, service) > 0
    rig.kubectl(*within, "exec", one, "--", "sh", "-c", "echo shared >/shared/word")
    assert rig.kubectl(*within, "exec", two, "--", "cat", "/shared/word") == "shared\n"
    return "exec, logs, DNS, ClusterIP from both nodes, a file written on one node and read on the other"


def inside(rig: Rig) -> str:
    """Kill a process within one container: the container lives on."""
    pod = workload.pod_on(rig, workload.NODE)
    where = (workload.NAMESPACE, pod["metadata"]["name"], "web")
    killed = rig.levers.pods.kill_process(*where, "^sleep 98765")
    assert killed == ["sleep 98765"], killed
    eventually("the process", lambda: "sleep 98765" in rig.levers.pods.processes(*where).values(), wanted=False)
    now = workload.pod_on(rig, workload.NODE)
    assert _restarts(now) == _restarts(pod), "the container was restarted"
    assert workload.serves(now["status"]["podIP"])
    return f"{killed[0]!r} is dead, its container serves on and was not restarted"


def rights(rig: Rig) -> str:
    """Revoke a right and restore it."""
    may = [
        "auth",
        "can-i",
        "list",
        "pods",
        "--as",
        f"system:serviceaccount:{workload.NAMESPACE}:default",
        "-n",
        workload.NAMESPACE,
    ]
    rig.kubectl("-n", workload.NAMESPACE, "create", "role", "reader", "--verb=get,list", "--resource=pods,services")
    rig.kubectl(
        "-n",
        workload.NAMESPACE,
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        f"--serviceaccount={workload.NAMESPACE}:default",
    )
    allowed = eventually("can-i", lambda: rig.kubectl(*may, check=False).strip(), "yes")
    with rig.levers.rbac.revoke("reader", "pods", "list", workload.NAMESPACE):
        refused = eventually("can-i", lambda: rig.kubectl(*may, check=False).strip(), "no")
    eventually("can-i", lambda: rig.kubectl(*may, check=False).strip(), "yes")
    return f"granted {allowed:.1f} s, refused {refused:.1f} s after, granted again"


def disk(rig: Rig) -> str:
    """Fill a small volume to the last byte and free it; recycle a released one."""
    written = rig.levers.volumes.fill("rig-small-0")
    try:
        (rig.levers.volumes.path("rig-small-0") / "more").write_bytes(b"x" * 8192)
        full = False
    except OSError:
        full = True
    rig.levers.volumes.free("rig-small-0")
    (rig.levers.volumes.path("rig-small-0") / "more").unlink(missing_ok=True)
    assert full, "a full volume took 8192 bytes more"
    name = workload.bound_and_released(rig)
    assert name in rig.levers.volumes.recycle()
    eventually("the volume", lambda: workload.volume_phase(rig, name), "Available")
    return f"full after {written // 2**20} MiB; {name} bound, released and recycled"


def control(rig: Rig) -> str:
    """Kill and start each component; freeze the API server."""
    times = []
    for component in ("scheduler", "kcm", "apiserver", "etcd"):
        began = time.monotonic()
        rig.levers.control_plane.restart(component)
        times.append(f"{component} {time.monotonic() - began:.1f} s")
    rig.levers.control_plane.freeze("apiserver")
    impatient = Api(timeout_s=1.0)
    try:
        impatient.get("/api/v1/nodes")
        hung = False
    except OSError:
        hung = True
    rig.levers.control_plane.thaw("apiserver")
    assert hung, "a frozen API server answered"
    rig.levers.control_plane.kill_all()
    assert not workload.listens(CONTROL_IP, API_PORT), "a killed API server accepts connections"
    rig.levers.control_plane.start_all()
    return f"kill -9 and start: {', '.join(times)}; freeze hangs; all four killed and started"


def tokens(rig: Rig) -> str:
    """Spoil the tokens of one account, then age every token of the cluster."""
    token = rig.levers.tokens.request(workload.NAMESPACE, "default")
    assert workload.status_with(token) == http.client.FORBIDDEN  # known, but without the right
    rig.levers.tokens.invalidate(workload.NAMESPACE, "default")
    spoilt = eventually("the token", lambda: workload.status_with(token), http.client.UNAUTHORIZED)
    token = rig.levers.tokens.request(workload.NAMESPACE, "default")
    rig.levers.tokens.age()
    aged = eventually("the token", lambda: workload.status_with(token), http.client.UNAUTHORIZED)
    eventually("allocatable", lambda: workload.allocatable(rig), "8")
    workload.settled(rig)
    return f"refused {spoilt:.1f} s after its account changed; another {aged:.1f} s after the key changed"


def _restarts(pod: Json) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])
