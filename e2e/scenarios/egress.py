"""Nothing leaves: a serving pod that tries reaches nobody, a download only what it must, and admin APIs are closed."""

from __future__ import annotations

import json

from e2e.install import HUB
from e2e.lab import Lab, must, wait_for
from e2e.rig.api import Json
from e2e.rig.settings import CONTROL_IP, DNS_IP, REGISTRY, SERVICE_IP
from e2e.scenarios.registry import scenario

NAME = "smollm2"
TRY = """
import json, socket, sys
found = {}
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        found[target] = "open"
    except OSError as error:
        found[target] = type(error).__name__
print(json.dumps(found))
"""
ADMIN = """
import json, sys, urllib.error, urllib.request
base = f"http://{sys.argv[1]}:8000"
found = {}
for method, path in (("POST", "/v2/repository/index"), ("POST", "/v2/repository/models/smollm2/unload"),
                     ("GET", "/v2/trace/setting"), ("GET", "/v2/logging"), ("GET", "/v2/systemsharedmemory/status")):
    request = urllib.request.Request(base + path, method=method, data=b"{}" if method == "POST" else None)
    try:
        found[path] = urllib.request.urlopen(request, timeout=5).status
    except urllib.error.HTTPError as error:
        found[path] = error.code
print(json.dumps(found))
"""


@scenario(
    "egress", "a serving pod reaches nobody, a tenant reaches no admin API and no metrics port", limit_seconds=300
)
def egress(lab: Lab, _whole: bool) -> None:
    lab.apply(lab.model(NAME, replicas=2))
    lab.ready(NAME)
    first, second = lab.pods(NAME)
    targets = [f"{DNS_IP}:53", f"{SERVICE_IP}:443", f"{CONTROL_IP}:6443", f"{CONTROL_IP}:8088", f"{_ip(second)}:8000"]
    tried = _in_pod(lab, first["metadata"]["name"], TRY, *targets)
    must("open" not in tried.values(), f"a serving pod reached {tried}")
    lab.counted["refused to the serving pod"] = len(tried)

    tenant = _tenant(lab)
    ports = _in_pod(lab, tenant, TRY, f"{_ip(first)}:8000", f"{_ip(first)}:8001", f"{_ip(first)}:8002", container="c")
    must(
        [ports[f"{_ip(first)}:{port}"] for port in (8000, 8001)] == ["open", "open"], f"the API ports are shut: {ports}"
    )
    must(ports[f"{_ip(first)}:8002"] != "open", "a tenant reaches the metrics port")
    answers = _in_pod(lab, tenant, ADMIN, _ip(first), container="c")
    must(set(answers.values()) == {403}, f"an admin API answered a tenant: {answers}")
    lab.counted["admin APIs refused (HTTP)"] = len(answers)
    lab.counted["admin APIs refused (gRPC)"] = _grpc(lab, tenant, _ip(first))
    _download(lab)


def _ip(pod: Json) -> str:
    return str(pod["status"]["podIP"])


def _in_pod(lab: Lab, pod: str, program: str, *argv: str, container: str = "server") -> dict[str, object]:
    answer = lab.rig.kubectl("-n", lab.namespace, "exec", pod, "-c", container, "--", "python3", "-c", program, *argv)
    found: dict[str, object] = json.loads(answer)
    return found


def _tenant(lab: Lab) -> str:
    """Start a stranger's pod in the same namespace, from the operator's image (it has Python and gRPC)."""
    lab.rig.api.create(f"/api/v1/namespaces/{lab.namespace}/pods", _pod("tenant", {"app": "tenant"}))
    wait_for(lambda: _runs(lab, "tenant"), "the tenant's pod to run", 60)
    return "tenant"


def _pod(name: str, labels: dict[str, str]) -> Json:
    locked = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "c",
                    "image": f"{REGISTRY}/inferfleet:dev",
                    "command": ["python3", "-c", "import time; time.sleep(600)"],
                    "securityContext": locked,
                }
            ],
        },
    }


def _runs(lab: Lab, name: str) -> bool:
    return bool(lab.rig.get(f"/api/v1/namespaces/{lab.namespace}/pods/{name}")["status"].get("phase") == "Running")


GRPC = """
import json, sys, grpc
from tritonclient.grpc import service_pb2 as pb, service_pb2_grpc as rpc
stub = rpc.GRPCInferenceServiceStub(grpc.insecure_channel(f"{sys.argv[1]}:8001"))
calls = {"index": (stub.RepositoryIndex, pb.RepositoryIndexRequest()),
         "load": (stub.RepositoryModelLoad, pb.RepositoryModelLoadRequest(model_name="smollm2")),
         "trace": (stub.TraceSetting, pb.TraceSettingRequest()), "log": (stub.LogSettings, pb.LogSettingsRequest()),
         "shm": (stub.SystemSharedMemoryStatus, pb.SystemSharedMemoryStatusRequest())}
found = {}
for name, (call, request) in calls.items():
    try:
        call(request, timeout=5)
        found[name] = "answered"
    except grpc.RpcError as error:
        found[name] = error.details()
print(json.dumps(found))
"""


def _grpc(lab: Lab, tenant: str, ip: str) -> int:
    answers = _in_pod(lab, tenant, GRPC, ip, container="c")
    open_ones = [name for name, said in answers.items() if "restricted" not in str(said)]
    must(not open_ones, f"an admin API answered a tenant over gRPC: {answers}")
    return len(answers)


def _download(lab: Lab) -> None:
    """Try from a pod that the download's policies hold: the hub is open, the API server and other pods are not."""
    labels = {"app.kubernetes.io/managed-by": "test", "inferfleet.dev/model": NAME, "inferfleet.dev/role": "download"}
    labels["inferfleet.dev/source"] = "hub"
    lab.rig.api.create(f"/api/v1/namespaces/{lab.namespace}/pods", _pod("as-download", labels))
    wait_for(lambda: _runs(lab, "as-download"), "the pod to run", 60)
    serving = _ip(lab.pods(NAME)[0])
    hub = HUB.removeprefix("http://")
    tried = _in_pod(
        lab, "as-download", TRY, hub, f"{CONTROL_IP}:6443", f"{SERVICE_IP}:443", f"{serving}:8000", container="c"
    )
    must(tried[hub] == "open", f"a download does not reach its hub: {tried}")
    must(
        [said for target, said in tried.items() if target != hub and said == "open"] == [],
        f"a download reached {tried}",
    )
    lab.counted["refused to downloads"] = len(tried) - 1
