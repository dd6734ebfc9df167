"""The configuration files of the cluster's processes. JSON is YAML too, so all but two are written as JSON."""

from __future__ import annotations

import json
import pathlib

from tests.cluster.machine.layout import Layout

PAUSE = "gpudev.test/pause:1"


def write_all(layout: Layout, programs: pathlib.Path) -> None:
    """Write every configuration file of a cluster."""
    layout.config("cni").mkdir(parents=True)
    layout.config("containerd.toml").write_text(_containerd(layout, programs))
    layout.config("Corefile").write_text(_corefile(layout))
    layout.config("registry.json").write_text(json.dumps(_registry(layout)))
    layout.config("cni/10-gpudev.conflist").write_text(json.dumps(_network(layout)))
    layout.config("kubelet.json").write_text(json.dumps(_kubelet(layout)))
    layout.config("kube-proxy.json").write_text(json.dumps(_kube_proxy(layout)))


def _containerd(layout: Layout, programs: pathlib.Path) -> str:
    """Return containerd's file: nothing of it lies outside the folder, save the shims' sockets, whose place is fixed."""
    return f"""\
version = 3
root = "{layout.data("containerd")}"
state = "{layout.data("containerd-state")}"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "{layout.containerd}"

[plugins.'io.containerd.internal.v1.opt']
  path = "{layout.data("containerd-opt")}"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE}"

[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  # To lower a score needs a capability that root of a container or of a small virtual machine may lack.
  restrict_oom_score_adj = true
  # So that they are found, and unmounted, below the folder.
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{layout.config("cni")}"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "{programs / "wrapper"}"
      SystemdCgroup = false
"""


def _network(layout: Layout) -> dict:
    ranges = [[{"subnet": layout.pods}]]
    ipam = {
        "type": "host-local",
        "ranges": ranges,
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(layout.data("cni")),
    }
    bridge = {
        "type": "bridge",
        "bridge": layout.bridge,
        "isGateway": True,
        "ipMasq": True,
        # A pod reaches itself by its service's address.
        "hairpinMode": True,
        "ipam": ipam,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": layout.cgroup, "plugins": [bridge, portmap]}


def _corefile(layout: Layout) -> str:
    """Return the file of the cluster's DNS: it knows services alone, so tests see no outside."""
    return f"""\
.:53 {{
    bind {layout.address}
    errors
    kubernetes {layout.domain} in-addr.arpa {{
        kubeconfig {layout.kubeconfig_of("dns")} gpudev
        pods verified
        ttl 5
    }}
}}
"""


def _registry(layout: Layout) -> dict:
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(layout.images)}, "delete": {"enabled": True}},
        # One registry has nobody to share a secret with.
        "http": {"addr": f"127.0.0.1:{layout.registry.rpartition(':')[2]}", "secret": "none"},
    }


def _kubelet(layout: Layout) -> dict:
    authentication = {"anonymous": {"enabled": False}, "webhook": {"enabled": True}}
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.address,
        "port": layout.kubelet_port,
        "authentication": {**authentication, "x509": {"clientCAFile": str(layout.certificate("ca"))}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.certificate("kubelet-server")),
        "tlsPrivateKeyFile": str(layout.key("kubelet-server")),
        "containerRuntimeEndpoint": f"unix://{layout.containerd}",
        "clusterDNS": [layout.address],
        "clusterDomain": layout.domain,
        # Pods ask the cluster's DNS alone.
        "resolvConf": "",
        **_kubelet_places(layout),
        **_kubelet_limits(),
        **_kubelet_haste(),
    }


def _kubelet_places(layout: Layout) -> dict:
    return {
        "cgroupRoot": f"/{layout.cgroup}",
        "cgroupDriver": "cgroupfs",
        # Machines of tests still have v1, which a kubelet refuses unless told.
        "failCgroupV1": False,
        "failSwapOn": False,
        "podLogsDir": str(layout.data("pod-logs")),
        "volumePluginDir": str(layout.data("volume-plugins")),
    }


def _kubelet_limits() -> dict:
    return {
        # Both need a capability that root may lack here.
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "serializeImagePulls": False,
        # A developer's full disk is no reason to evict a test's pods or to forget its images.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def _kubelet_haste() -> dict:
    return {
        # A node whose kubelet is gone is found out after 12 s (the controllers' grace period), so it must give a sign of
        # life, its lease, more often than the usual 10 s: a quarter of this.
        "nodeLeaseDurationSeconds": 12,
        "nodeStatusUpdateFrequency": "2s",
        "nodeStatusReportFrequency": "10s",
    }


def _kube_proxy(layout: Layout) -> dict:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.kubeconfig_of("proxy"))},
        "hostnameOverride": layout.node,
        "bindAddress": layout.address,
        "clusterCIDR": layout.pods,
        "mode": "iptables",
        # 0 s between two writes of all rules: a service is reached at once.
        "iptables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
        "nodePortAddresses": [f"{layout.address}/32"],
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        # The host's table of connections is left as large and as patient as it is.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
