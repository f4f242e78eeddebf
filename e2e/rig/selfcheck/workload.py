"""What the checks act on: one small pod with a GPU on each node, and how to see what becomes of it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.rig import pki, shell
from e2e.rig.api import Json
from e2e.rig.errors import ApiError
from e2e.rig.rig import Rig
from e2e.rig.settings import API_PORT, CONTROL_IP, NODES, PYTHON, REGISTRY, NodeSpec
from e2e.rig.watch import eventually

NAMESPACE = "rig-check"
NODE = NODES[1].name
_PORT = 8080
_LABELS = {"app": "rig-check"}
_FETCH = """
import sys, time, urllib.request
began = time.monotonic()
urllib.request.urlopen(sys.argv[1]).read()
print(time.monotonic() - began)
"""
# The server is the container's first process; the sleeper beside it may die without it.
_SCRIPT = f"echo started; sleep 98765 & head -c 65536 /dev/zero >/tmp/blob; exec httpd -f -p {_PORT} -h /tmp"


@contextmanager
def running(rig: Rig) -> Iterator[None]:
    """Run the workload for a while, in a namespace of its own."""
    remove(rig)
    namespace: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    rig.api.create("/api/v1/namespaces", namespace)
    try:
        objects = {"apiVersion": "v1", "kind": "List", "items": [_claim(), _service(), _daemon_set()]}
        rig.kubectl("create", "-f", "-", stdin=json.dumps(objects))
        settled(rig)
        yield
    finally:
        remove(rig)
        rig.levers.volumes.recycle()


def remove(rig: Rig) -> None:
    """Remove the workload and wait until its namespace is gone."""
    path = f"/api/v1/namespaces/{NAMESPACE}"
    rig.api.delete(path)
    rig.api.delete("/api/v1/namespaces/foreign")
    eventually("the namespace", lambda: _exists(rig, path), wanted=False, within_s=60)


def settled(rig: Rig) -> None:
    """Return when a ready pod that is not on its way out serves on every node."""
    eventually("the workload", lambda: _ready_on(rig), {node.name for node in NODES}, within_s=60)


def pod_on(rig: Rig, node: str) -> Json:
    """Return the workload's pod of a node."""
    return next(pod for pod in _pods(rig) if pod["spec"]["nodeName"] == node)


def serves(address: str) -> bool:
    """Whether a pod answers over HTTP, asked from the machine."""
    connection = http.client.HTTPConnection(address, _PORT, timeout=1)
    try:
        connection.request("HEAD", "/blob")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def transfer(rig: Rig) -> float:
    """Send 64 kB from node 1's pod into node 2 and return the seconds."""
    return fetch_from(NODES[1], pod_on(rig, NODES[0].name)["status"]["podIP"])


def fetch_from(node: NodeSpec, address: str) -> float:
    """Fetch 64 kB from an address, asked from a node, and return the seconds."""
    fetch = [PYTHON, "-c", _FETCH, f"http://{address}:{_PORT}/blob"]
    return float(shell.run(shell.in_netns(node.netns, fetch)))


def node(rig: Rig) -> Json:
    """Read the node that the checks act on."""
    return rig.get(f"/api/v1/nodes/{NODE}")


def ready(rig: Rig) -> str:
    """Read the node's Ready condition."""
    conditions = {entry["type"]: entry["status"] for entry in node(rig)["status"]["conditions"]}
    return str(conditions["Ready"])


def allocatable(rig: Rig) -> str:
    """Read how many GPUs the node offers."""
    return str(node(rig)["status"]["allocatable"]["nvidia.com/gpu"])


def restarted(rig: Rig, uid: str) -> bool:
    """Whether the pod of this uid is ready again after its container was started once more."""
    pod = pod_on(rig, NODE)
    container = pod["status"]["containerStatuses"][0]
    return bool(pod["metadata"]["uid"] == uid and container["restartCount"] > 0 and container["ready"])


def listens(address: str, port: int) -> bool:
    """Whether somebody accepts connections."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def status_with(token: str) -> int:
    """Ask for something with a token and return the HTTP status."""
    tls = ssl.create_default_context(cafile=str(pki.CA))
    connection = http.client.HTTPSConnection(CONTROL_IP, API_PORT, context=tls, timeout=5)
    connection.request("GET", "/api/v1/nodes", headers={"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


def bound_and_released(rig: Rig) -> str:
    """Claim a volume, let it go again and return its name."""
    path = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"
    rig.api.create(path, _claim("passing"))
    eventually("the claim", lambda: rig.get(f"{path}/passing")["status"]["phase"], "Bound")
    name = str(rig.get(f"{path}/passing")["spec"]["volumeName"])
    rig.api.delete(f"{path}/passing")
    eventually("the volume", lambda: volume_phase(rig, name), "Released")
    return name


def volume_phase(rig: Rig, name: str) -> str:
    """Read a volume's phase."""
    return str(rig.get(f"/api/v1/persistentvolumes/{name}")["status"]["phase"])


def _pods(rig: Rig) -> list[Json]:
    pods = rig.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def _ready_on(rig: Rig) -> set[str]:
    return {
        pod["spec"]["nodeName"]
        for pod in _pods(rig)
        for condition in pod["status"].get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    }


def _exists(rig: Rig, path: str) -> bool:
    try:
        rig.get(path)
    except ApiError as error:
        if error.code == http.client.NOT_FOUND:
            return False
        raise
    return True


def _claim(name: str = "shared") -> Json:
    spec: Json = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "rig-rwx",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _service() -> Json:
    spec = {"selector": _LABELS, "ports": [{"port": _PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": NAMESPACE}, "spec": spec}


def _daemon_set() -> Json:
    container = {
        "name": "web",
        "image": f"{REGISTRY}/busybox:1.0",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", _SCRIPT],
        "readinessProbe": {"httpGet": {"path": "/blob", "port": _PORT}, "periodSeconds": 1},
        "resources": {"limits": {"nvidia.com/gpu": "1"}},
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }
    volume = {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": [volume]}
    template = {"metadata": {"labels": _LABELS}, "spec": pod}
    metadata = {"name": "web", "namespace": NAMESPACE}
    spec = {"selector": {"matchLabels": _LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec}
