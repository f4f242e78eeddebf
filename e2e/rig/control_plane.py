"""etcd, API server, controller-manager and scheduler: their command lines, and starting and ending each."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from e2e.rig import pki, processes, shell
from e2e.rig.api import Api
from e2e.rig.errors import RigError
from e2e.rig.settings import (
    API_PORT,
    CONTROL_IP,
    CONTROL_NETNS,
    SERVICE_NETWORK,
    STATE,
)

BIN = STATE / "bin"
AUDIT_LOG = processes.LOG / "audit.jsonl"
AUDIT_POLICY = STATE / "audit.yaml"
_ETCD_CLIENT = "http://127.0.0.1:2379"
_ETCD_PEER = "http://127.0.0.1:2380"
_READY_S = 60.0
_HEALTH_PORTS = {"kcm": 10257, "scheduler": 10259}
# In the order of their start.
COMPONENTS = ("etcd", "apiserver", "kcm", "scheduler")


def start() -> None:
    """Start all four and return when the API server is ready."""
    AUDIT_POLICY.write_text(Path(__file__).with_name("audit.yaml").read_text())
    start_component("etcd")
    start_component("apiserver")
    wait_ready()
    start_component("kcm")
    start_component("scheduler")
    wait_healthy("kcm")
    wait_healthy("scheduler")


def start_component(name: str) -> None:
    """Start one component that does not run; it may take a while until it works."""
    _check(name)
    argv = shell.in_netns(CONTROL_NETNS, _COMMANDS[name]())
    processes.start(name, argv, env={"GOMAXPROCS": str(os.cpu_count() or 2)})


def kill(name: str, sig: signal.Signals = signal.SIGKILL) -> None:
    """End one component, by default without warning, and wait until it is gone."""
    _check(name)
    processes.running(name)
    processes.stop(name, sig)


def freeze(name: str) -> None:
    """Stop one component in the middle of what it does: its connections stay open and hang."""
    _check(name)
    os.kill(processes.running(name).pid, signal.SIGSTOP)


def thaw(name: str) -> None:
    """Let a frozen component go on."""
    _check(name)
    os.kill(processes.running(name).pid, signal.SIGCONT)


def wait_ready(deadline_s: float = _READY_S) -> None:
    """Return when the API server is ready, or say where to look."""
    end = time.monotonic() + deadline_s
    api = Api(timeout_s=2.0)
    while not api.ready():
        api.close()
        if time.monotonic() > end:
            raise RigError(f"The API server was not ready after {deadline_s:g} s; see {processes.LOG}/apiserver.log.")
        time.sleep(0.05)
    api.close()


def wait_healthy(name: str, deadline_s: float = _READY_S) -> None:
    """Return when the controller-manager or the scheduler works, starting one that gave up again."""
    end = time.monotonic() + deadline_s
    while not _healthy(_HEALTH_PORTS[name]):
        record = processes.recorded(name)
        if record is None or not record.alive:
            start_component(name)
        if time.monotonic() > end:
            raise RigError(f"{name} was not healthy after {deadline_s:g} s; see {processes.LOG}/{name}.log.")
        time.sleep(0.1)


def revive() -> None:
    """Start again what ended by itself.

    While it starts, the controller-manager gives up for good when the API server is away or does not know
    its rights yet; on any other cluster a service manager starts it again. What a lever killed has no record
    any more, and stays dead.
    """
    for name in _HEALTH_PORTS:
        record = processes.recorded(name)
        if record and not record.alive:
            start_component(name)
            wait_healthy(name)


def _healthy(port: int) -> bool:
    # The certificate is one that the component signed for itself.
    tls = ssl._create_unverified_context()  # noqa: S323, SLF001 - the standard library has no other short way
    connection = http.client.HTTPSConnection(CONTROL_IP, port, context=tls, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _check(name: str) -> None:
    if name not in COMPONENTS:
        raise RigError(f"No component {name!r} in the control plane; it has {', '.join(COMPONENTS)}.")


def etcd_command() -> list[str]:
    """Build etcd's command line; no fsync, since the rig's data need not outlive the machine."""
    flags = {
        "name": "rig",
        "data-dir": str(STATE / "etcd"),
        "log-level": "warn",
        "listen-client-urls": _ETCD_CLIENT,
        "advertise-client-urls": _ETCD_CLIENT,
        "listen-peer-urls": _ETCD_PEER,
        "initial-advertise-peer-urls": _ETCD_PEER,
        "initial-cluster": f"rig={_ETCD_PEER}",
    }
    return [str(BIN / "etcd"), "--unsafe-no-fsync", *_flags(flags)]


def apiserver_command() -> list[str]:
    """Build the API server's command line."""
    certificate, key = pki.files("apiserver")
    admin_certificate, admin_key = pki.files("admin")
    proxy_certificate, proxy_key = pki.files("front-proxy")
    flags = {
        "etcd-servers": _ETCD_CLIENT,
        "bind-address": CONTROL_IP,
        "advertise-address": CONTROL_IP,
        "secure-port": str(API_PORT),
        "tls-cert-file": str(certificate),
        "tls-private-key-file": str(key),
        "client-ca-file": str(pki.CA),
        "kubelet-client-certificate": str(admin_certificate),
        "kubelet-client-key": str(admin_key),
        "kubelet-certificate-authority": str(pki.CA),
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-key-file": str(pki.TOKEN_KEY),
        "service-account-signing-key-file": str(pki.TOKEN_KEY),
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-cluster-ip-range": SERVICE_NETWORK,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "requestheader-client-ca-file": str(pki.CA),
        "requestheader-allowed-names": "front-proxy",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": str(proxy_certificate),
        "proxy-client-key-file": str(proxy_key),
        # No kube-proxy runs beside the API server: it must reach webhooks by endpoint, not by ClusterIP.
        "enable-aggregator-routing": "true",
        "default-not-ready-toleration-seconds": "10",
        "default-unreachable-toleration-seconds": "10",
        "audit-policy-file": str(AUDIT_POLICY),
        "audit-log-path": str(AUDIT_LOG),
        "audit-log-maxsize": "1000",
    }
    return [str(BIN / "kube"), "kube-apiserver", *_flags(flags)]


def controller_manager_command() -> list[str]:
    """Build the controller-manager's command line: a dead node is noticed in 16 s instead of 50."""
    flags = {
        **_kubeconfigs("kcm"),
        "service-account-private-key-file": str(pki.TOKEN_KEY),
        "root-ca-file": str(pki.CA),
        "use-service-account-credentials": "true",
        "cluster-signing-cert-file": str(pki.CA),
        "cluster-signing-key-file": str(pki.CA_KEY),
        "allocate-node-cidrs": "false",
        # The default lies under /usr, where the rig must not leave anything.
        "flex-volume-plugin-dir": str(STATE / "volume-plugins"),
        "node-monitor-period": "1s",
        "node-monitor-grace-period": "16s",
        "horizontal-pod-autoscaler-sync-period": "2s",
        "horizontal-pod-autoscaler-downscale-stabilization": "10s",
    }
    return [str(BIN / "kube"), "kube-controller-manager", *_flags(flags)]


def scheduler_command() -> list[str]:
    """Build the scheduler's command line."""
    return [str(BIN / "kube"), "kube-scheduler", *_flags(_kubeconfigs("scheduler"))]


def _kubeconfigs(name: str) -> dict[str, str]:
    file = str(pki.kubeconfig(name))
    return {
        "kubeconfig": file,
        "authentication-kubeconfig": file,
        "authorization-kubeconfig": file,
        "bind-address": CONTROL_IP,
        "leader-elect": "false",
        "kube-api-qps": "300",
        "kube-api-burst": "600",
    }


def _flags(values: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


_COMMANDS: dict[str, Callable[[], list[str]]] = {
    "etcd": etcd_command,
    "apiserver": apiserver_command,
    "kcm": controller_manager_command,
    "scheduler": scheduler_command,
}
