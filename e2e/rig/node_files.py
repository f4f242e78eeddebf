"""The configuration files of a node, as text. Pure: a NodeSpec in, file contents out."""

from __future__ import annotations

import json

from e2e.rig import pki
from e2e.rig.settings import CGROUP, DNS_IP, POD_NETWORK, REGISTRY, NodeSpec

SOCKET = "/run/containerd/containerd.sock"


def kubelet(node: NodeSpec) -> str:
    """Render the kubelet's configuration: short leases and periods, so that scenarios need not wait."""
    certificate, key = pki.files(node.name)
    return _json(
        apiVersion="kubelet.config.k8s.io/v1beta1",
        kind="KubeletConfiguration",
        containerRuntimeEndpoint=f"unix://{SOCKET}",
        failCgroupV1=False,
        cgroupDriver="cgroupfs",
        cgroupRoot=f"/{CGROUP}/{node.name}",
        # Lower than 0 needs a capability that root in a container or a small VM may lack.
        oomScoreAdj=0,
        failSwapOn=False,
        address=node.ip,
        healthzBindAddress="127.0.0.1",
        authentication={
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.CA)},
        },
        authorization={"mode": "Webhook"},
        tlsCertFile=str(certificate),
        tlsPrivateKeyFile=str(key),
        clusterDNS=[DNS_IP],
        clusterDomain="cluster.local",
        resolvConf="",
        # The default lies under /usr, where the rig must not leave anything.
        volumePluginDir="/run/kubelet-plugins",
        maxPods=110,
        nodeStatusUpdateFrequency="2s",
        nodeStatusReportFrequency="10s",
        nodeLeaseDurationSeconds=8,
        syncFrequency="10s",
        imageGCHighThresholdPercent=100,
        evictionHard={
            "memory.available": "200Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        enforceNodeAllocatable=["pods"],
        evictionPressureTransitionPeriod="5s",
        serializeImagePulls=False,
    )


def kube_proxy(node: NodeSpec) -> str:
    """Render kube-proxy's configuration; it must not touch the machine's conntrack limits."""
    return _json(
        apiVersion="kubeproxy.config.k8s.io/v1alpha1",
        kind="KubeProxyConfiguration",
        clientConnection={"kubeconfig": str(pki.kubeconfig("proxy"))},
        mode="iptables",
        clusterCIDR=POD_NETWORK,
        hostnameOverride=node.name,
        oomScoreAdj=0,
        conntrack={
            "maxPerCore": 0,
            "min": 0,
            "tcpCloseWaitTimeout": "0s",
            "tcpEstablishedTimeout": "0s",
        },
        healthzBindAddress="127.0.0.1:10256",
        metricsBindAddress="127.0.0.1:10249",
    )


def cni(node: NodeSpec) -> str:
    """Render the list of network plugins for the node's pods."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni-ipam",
            "ranges": [[{"subnet": node.pod_cidr}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return _json(cniVersion="1.0.0", name="rig", plugins=[bridge, portmap])


def containerd(node: NodeSpec, runc: str) -> str:
    """Render containerd's configuration."""
    home = node.directory
    return f"""version = 3
root = "{home}/containerd"
state = "/run/containerd/state"
[grpc]
  address = "{SOCKET}"
[plugins.'io.containerd.internal.v1.opt']
  path = "/run/containerd/opt"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{REGISTRY}/pause:1.0"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{home}/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        SystemdCgroup = false
"""


def _json(**fields: object) -> str:
    return json.dumps(fields, indent=1) + "\n"
