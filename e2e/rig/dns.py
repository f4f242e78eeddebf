"""Cluster DNS: CoreDNS with the kubernetes plugin and no upstream. `python -m e2e.rig.dns IP` asks one question."""

from __future__ import annotations

import socket
import sys
from typing import Any

from e2e.rig.settings import COREDNS, DNS_IP, REGISTRY

_QUESTION = "kubernetes.default.svc.cluster.local"
_LABELS = {"k8s-app": "kube-dns"}
# Two blocks: in one block `template` would answer before `kubernetes`. Without an upstream every other name
# must be NXDOMAIN at once; SERVFAIL makes resolvers try again for seconds.
_COREFILE = """cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        ttl 5
    }
    cache 5
}
.:53 {
    errors
    health
    ready
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
"""


def manifests() -> list[dict[str, Any]]:
    """Render everything that cluster DNS needs."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"}
    subject = {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}
    reads = ["list", "watch"]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta()},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": [
                {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": reads},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": reads},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": role,
            "subjects": [subject],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(), "data": {"Corefile": _COREFILE}},
        _deployment(),
        _service(),
    ]


def answers(server: str, timeout_s: float = 0.3) -> bool:
    """Whether a server knows the API server's name."""
    name = b"".join(bytes([len(part)]) + part.encode() for part in _QUESTION.split(".")) + b"\0"
    query = b"\0\7\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(timeout_s)
        try:
            asking.connect((server, 53))
            asking.send(query)
            answer = asking.recv(512)
        except OSError:
            return False
    return answer[3] & 15 == 0 and answer[7] == 1


def _meta() -> dict[str, str]:
    return {"name": "coredns", "namespace": "kube-system"}


def _deployment() -> dict[str, Any]:
    # Two replicas on two nodes: one lost query costs a resolver five seconds.
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _LABELS},
    }
    container = {
        "name": "coredns",
        "image": f"{REGISTRY}/coredns:{COREDNS}",
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "topologySpreadConstraints": [spread],
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    template = {"metadata": {"labels": _LABELS}, "spec": pod}
    spec = {"replicas": 2, "selector": {"matchLabels": _LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(), "spec": spec}


def _service() -> dict[str, Any]:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": DNS_IP, "selector": _LABELS, "ports": ports},
    }


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
