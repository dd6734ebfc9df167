"""How each part of the cluster is asked whether it is ready."""

from __future__ import annotations

import pathlib
import socket
import struct

import httpx2

from tests.cluster.machine.api import Api
from tests.cluster.machine.layout import Layout
from tests.cluster.machine.objects import DRIVER


def answers(url: str) -> bool:
    """Tell whether a server says 200."""
    try:
        return httpx2.get(url, timeout=1).status_code == 200
    except httpx2.TransportError:
        return False


def listens(path: pathlib.Path) -> bool:
    """Tell whether somebody accepts connections on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def node_is_ready(api: Api, name: str) -> bool:
    """Tell whether a node is Ready, and free of the taint that it has until the controllers have seen so."""
    node = api.find(f"/api/v1/nodes/{name}")
    if node is None or node["spec"].get("taints"):
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", ()))


def disks_are_known(api: Api, node: str) -> bool:
    """Tell whether the kubelet has found the driver of disks."""
    found = api.find(f"/apis/storage.k8s.io/v1/csinodes/{node}")
    return found is not None and any(one["name"] == DRIVER for one in found["spec"].get("drivers") or ())


def pods_are_welcome(api: Api) -> bool:
    """Tell whether a pod may be made: its service account is there."""
    return api.find("/api/v1/namespaces/default/serviceaccounts/default") is not None


def is_served(api: Api, crd: str) -> bool:
    """Tell whether a custom resource can be used."""
    found = api.find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}") or {}
    conditions = found.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def dns_answers(layout: Layout) -> bool:
    """Tell whether the cluster's DNS knows the API server's service."""
    name = f"kubernetes.default.svc.{layout.domain}"
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    # One question, recursion not asked for; an address (1) of the internet (1).
    question = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.3)
        try:
            probe.sendto(question, (layout.address, 53))
            answer = probe.recv(512)
        except OSError:
            return False
    return answer.endswith(socket.inet_aton(layout.service_api))
