"""The command line of each process of the cluster."""

from __future__ import annotations

import pathlib

import attrs

from tests.cluster.machine.layout import Layout

#: The order of starting; what is stopped first is at the end, and the API server before etcd: with etcd gone first it
#: waits for it for minutes.
ORDER = (
    "registry",
    "etcd",
    "containerd",
    "api",
    "controllers",
    "scheduler",
    "kubelet",
    "proxy",
    "dns",
    "disks",
    "provisioner",
    "snapshot-controller",
    "snapshotter",
)


@attrs.frozen
class Commands:
    """Says what is run under which name."""

    layout: Layout
    programs: pathlib.Path

    def of(self, name: str) -> list[str]:
        """Return a process's command line."""
        make = getattr(self, f"_{name.replace('-', '_')}")
        program, *options = make()
        return [str(self.programs / program), *options]

    def environment(self) -> dict[str, str]:
        """Return what all of them find in their environment beside ours: containerd looks for its shim in PATH."""
        path = f"{self.programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        # The registry would send traces to somebody who is not there.
        return {"PATH": path, "OTEL_TRACES_EXPORTER": "none"}

    def _registry(self) -> list[str]:
        return ["registry", "serve", str(self.layout.config("registry.json"))]

    def _etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.layout.etcd_port, self.layout.etcd_peer_port))
        return [
            "etcd",
            f"--data-dir={self.layout.data('etcd')}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
            # What a power cut would lose is a test's.
            "--unsafe-no-fsync",
        ]

    def _containerd(self) -> list[str]:
        return ["containerd", "--config", str(self.layout.config("containerd.toml")), "--log-level=warn"]

    def _api(self) -> list[str]:
        layout = self.layout
        return [
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{layout.etcd_port}",
            f"--bind-address={layout.address}",
            f"--advertise-address={layout.address}",
            f"--secure-port={layout.api_port}",
            f"--service-cluster-ip-range={layout.services}",
            f"--tls-cert-file={layout.certificate('api')}",
            f"--tls-private-key-file={layout.key('api')}",
            f"--client-ca-file={layout.certificate('ca')}",
            f"--kubelet-certificate-authority={layout.certificate('ca')}",
            f"--kubelet-client-certificate={layout.certificate('api-to-kubelet')}",
            f"--kubelet-client-key={layout.key('api-to-kubelet')}",
            "--kubelet-preferred-address-types=InternalIP",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-account-issuer=https://kubernetes.default.svc.{layout.domain}",
            f"--service-account-key-file={layout.key('service-accounts').with_suffix('.pub')}",
            f"--service-account-signing-key-file={layout.key('service-accounts')}",
            f"--cert-dir={layout.data('api')}",
            # Nobody serves a part of the API in its stead, but the controllers complain until they know who might.
            f"--requestheader-client-ca-file={layout.certificate('ca')}",
            "--requestheader-allowed-names=nobody",
            # Some tests ask for a privileged pod.
            "--allow-privileged=true",
            # It would otherwise end open watches only after a minute.
            "--shutdown-delay-duration=0s",
            "--profiling=false",
        ]

    def _controllers(self) -> list[str]:
        layout = self.layout
        return [
            "kube-controller-manager",
            *self._as("controllers"),
            f"--root-ca-file={layout.certificate('ca')}",
            f"--service-account-private-key-file={layout.key('service-accounts')}",
            f"--cluster-signing-cert-file={layout.certificate('ca')}",
            f"--cluster-signing-key-file={layout.key('ca')}",
            "--use-service-account-credentials=true",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            # A node that gives no sign of life is NotReady after 12 s and not after the usual 50 s, so that a test of a
            # lost node is short. How long its pods are tolerated there is as everywhere: 300 s.
            "--node-monitor-period=1s",
            "--node-monitor-grace-period=12s",
        ]

    def _scheduler(self) -> list[str]:
        return ["kube-scheduler", *self._as("scheduler"), "--bind-address=127.0.0.1", "--leader-elect=false"]

    def _as(self, name: str) -> list[str]:
        """Return who a process is; it also asks the API server who its own callers are."""
        config = self.layout.kubeconfig_of(name)
        return [
            f"--{kind}={config}" for kind in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
        ]

    def _kubelet(self) -> list[str]:
        layout = self.layout
        return [
            "kubelet",
            f"--config={layout.config('kubelet.json')}",
            f"--kubeconfig={layout.kubeconfig_of('kubelet')}",
            f"--root-dir={layout.data('kubelet')}",
            f"--cert-dir={layout.data('kubelet')}/pki",
            f"--hostname-override={layout.node}",
            f"--node-ip={layout.address}",
        ]

    def _proxy(self) -> list[str]:
        return ["kube-proxy", f"--config={self.layout.config('kube-proxy.json')}"]

    def _dns(self) -> list[str]:
        return ["coredns", "-conf", str(self.layout.config("Corefile"))]

    def _disks(self) -> list[str]:
        layout = self.layout
        return [
            "driver",
            f"--folder={layout.data('disks')}",
            f"--socket={layout.disks}",
            f"--registration={layout.data('kubelet')}/plugins_registry/disk.gpudev.test-reg.sock",
            f"--node={layout.node}",
        ]

    def _provisioner(self) -> list[str]:
        # The driver is of no place; so no node, real or not, is asked where its disks may be.
        return ["csi-provisioner", *self._sidecar(), "--feature-gates=Topology=false"]

    def _snapshotter(self) -> list[str]:
        return ["csi-snapshotter", *self._sidecar()]

    def _sidecar(self) -> list[str]:
        address, config = f"--csi-address={self.layout.disks}", f"--kubeconfig={self.layout.kubeconfig_of('disks')}"
        # A test that makes disks fail for a while must not then wait for the usual minutes of doubled delays.
        return [address, config, "--leader-election=false", "--retry-interval-start=500ms", "--retry-interval-max=2s"]

    def _snapshot_controller(self) -> list[str]:
        config = f"--kubeconfig={self.layout.kubeconfig_of('disks')}"
        retry = ["--retry-interval-start=500ms", "--retry-interval-max=2s"]
        return ["snapshot-controller", config, "--leader-election=false", *retry]
