from __future__ import annotations

import json
import tomllib

import pytest

from e2e.rig import control_plane, node_files, node_services, pki
from e2e.rig.settings import NODES, STATE, NodeSpec

NODE = NODES[0]


def test_nodes_have_addresses_of_their_own_and_different_gpus() -> None:
    first, second = NODES

    assert (first.ip, second.ip) == ("172.30.0.11", "172.30.0.12")
    assert first.pod_cidr != second.pod_cidr
    assert first.product != second.product


def test_the_kubelet_runs_under_its_own_cgroup_and_leaves_usr_alone() -> None:
    config = json.loads(node_files.kubelet(NODE))

    assert config["cgroupRoot"] == "/inferfleet-rig/node1"
    assert config["failCgroupV1"] is False
    assert config["oomScoreAdj"] == 0
    assert config["volumePluginDir"].startswith("/run/")
    assert config["address"] == NODE.ip


def test_kube_proxy_leaves_the_machines_conntrack_alone() -> None:
    config = json.loads(node_files.kube_proxy(NODE))

    assert config["conntrack"]["maxPerCore"] == 0
    assert config["conntrack"]["min"] == 0
    assert config["hostnameOverride"] == "node1"


def test_containerd_writes_only_below_its_node_and_run() -> None:
    config = tomllib.loads(node_files.containerd(NODE, "/usr/sbin/runc"))

    paths = [config["root"], config["state"], config["plugins"]["io.containerd.internal.v1.opt"]["path"]]
    assert all(path.startswith((f"{STATE}/node1/", "/run/")) for path in paths)
    assert config["plugins"]["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is True


def test_pods_of_a_node_get_addresses_from_its_range() -> None:
    bridge = json.loads(node_files.cni(NODE))["plugins"][0]

    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]


def test_the_kubelet_registers_the_gpu_product() -> None:
    argv = node_services.command(NodeSpec(2, "NVIDIA-A100-SXM4-80GB", 81920), "kubelet")

    labels = next(word for word in argv if word.startswith("--node-labels="))
    assert "nvidia.com/gpu.product=NVIDIA-A100-SXM4-80GB" in labels
    assert "nvidia.com/gpu.memory=81920" in labels
    assert "nvidia.com/gpu.count=8" in labels


def test_an_unknown_service_of_a_node_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="containerd, kubelet, kube-proxy"):
        node_services.command(NODE, "docker")


def test_the_api_server_audits_authorizes_and_reaches_webhooks_without_a_proxy() -> None:
    argv = control_plane.apiserver_command()

    assert "--authorization-mode=Node,RBAC" in argv
    assert f"--audit-log-path={control_plane.AUDIT_LOG}" in argv
    assert "--enable-aggregator-routing=true" in argv


def test_a_kubeconfig_holds_its_certificates() -> None:
    text = pki.kubeconfig_text(b"ca", b"cert", b"key")

    assert "certificate-authority-data: Y2E=" in text
    assert "client-certificate-data: Y2VydA==" in text
    assert "https://172.30.0.1:6443" in text
