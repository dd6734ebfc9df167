"""Where everything of the cluster is: its folder, its addresses and its ports. Every other module is told this value."""

from __future__ import annotations

import ipaddress
import os
import pathlib
import tempfile

import attrs

#: A socket's path has at most 107 bytes, and the longest below the folder has 40.
LONGEST_FOLDER = 60


def cache() -> pathlib.Path:
    """Return the folder of what stays between runs: programs, and the images that were pushed."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(home).expanduser() / "gpudev" / "cluster"


def scratch() -> pathlib.Path:
    """Return the folder of the one cluster that a machine can have; its name is fixed so that the next run finds it."""
    folder = pathlib.Path(tempfile.gettempdir()).resolve() / "gpudev-cluster"
    if len(str(folder)) > LONGEST_FOLDER:
        raise ValueError(f"{folder} is too long a path for the sockets in it: set TMPDIR to a shorter one")
    return folder


@attrs.frozen(kw_only=True)
class Layout:
    """The places of one cluster."""

    folder: pathlib.Path = attrs.field(factory=scratch)
    cache: pathlib.Path = attrs.field(factory=cache)
    #: The one real node.
    node: str = "node-a"
    #: What the API server, the kubelet, the cluster's DNS and NodePorts listen on: an address of `lo`, so that pods
    #: reach it and nobody outside does.
    address: str = "10.231.0.1"
    pods: str = "10.232.0.0/24"
    services: str = "10.233.0.0/24"
    domain: str = "cluster.local"
    bridge: str = "gpudev-cni0"
    #: The cgroup of all processes and pods: what a killed run left is known by it.
    cgroup: str = "gpudev-cluster"
    api_port: int = 6443
    kubelet_port: int = 10250
    etcd_port: int = 23790
    etcd_peer_port: int = 23800
    #: 5000 is what images are named after.
    registry: str = "localhost:5000"

    @property
    def api(self) -> str:
        """Return the API server's address."""
        return f"https://{self.address}:{self.api_port}"

    @property
    def service_api(self) -> str:
        """Return the address that pods know the API server by: the first of the services'."""
        return str(next(ipaddress.ip_network(self.services).hosts()))

    @property
    def kubeconfig(self) -> pathlib.Path:
        """Return the file with which one may do everything."""
        return self.kubeconfig_of("admin")

    def kubeconfig_of(self, name: str) -> pathlib.Path:
        """Return the file with which a part of the cluster speaks to the API server."""
        return self.folder / "keys" / f"{name}.kubeconfig"

    def key(self, name: str) -> pathlib.Path:
        """Return a private key's file; the certificate's lies beside it."""
        return self.folder / "keys" / f"{name}.key"

    def certificate(self, name: str) -> pathlib.Path:
        """Return a certificate's file."""
        return self.folder / "keys" / f"{name}.crt"

    def config(self, name: str) -> pathlib.Path:
        """Return a configuration file."""
        return self.folder / "etc" / name

    def data(self, name: str) -> pathlib.Path:
        """Return the folder in which a part of the cluster keeps what it knows."""
        return self.folder / "data" / name

    def log(self, name: str) -> pathlib.Path:
        """Return the log of a process."""
        return self.folder / "log" / f"{name}.log"

    def pid(self, name: str) -> pathlib.Path:
        """Return the file that says which process it is."""
        return self.folder / "pid" / name

    @property
    def containerd(self) -> pathlib.Path:
        """Return containerd's socket."""
        return self.folder / "containerd.sock"

    @property
    def disks(self) -> pathlib.Path:
        """Return the test driver's socket."""
        return self.folder / "disk.sock"

    @property
    def images(self) -> pathlib.Path:
        """Return the folder of pushed images, which stays."""
        return self.cache / "registry"
