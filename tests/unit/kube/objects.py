"""Objects of a cluster as an API server shows them, as small as a test can have them."""

from __future__ import annotations

import copy
import datetime as dt
import uuid

from gpudev_sdk.domain.server import ServerId, ServerSpec
from gpudev_sdk.kube import names

INSTALL = uuid.UUID("11111111-1111-4111-8111-1111aabbccdd")
STRANGER = uuid.UUID("22222222-2222-4222-8222-222222222222")
RESERVATION = uuid.UUID("33333333-3333-4333-8333-333333333333")
SERVER = ServerId(RESERVATION, 1)
NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
GPU = "nvidia.com/gpu"
READY = {"type": "Ready", "status": "True"}


def before(seconds: float) -> str:
    """Return a time some seconds before NOW, as Kubernetes writes it."""
    return (NOW - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(base: dict, *changes: dict) -> dict:
    """Return `base` with changes laid over it, table by table."""
    found = copy.deepcopy(base)
    for change in changes:
        for name, value in change.items():
            known = found.get(name)
            found[name] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return found


def node(name: str = "node-a", *, gpus: int = 0, labels: dict | None = None, **changes) -> dict:
    """Return a node that is well, with 10 CPUs and 100 GB to hand out; `changes` are of its status and spec."""
    amounts = {"cpu": "10", "memory": "100G"} | ({GPU: str(gpus)} if gpus else {})
    plain = {
        "metadata": {"name": name, "labels": labels or {}, "resourceVersion": "1"},
        "spec": {},
        "status": {"capacity": amounts, "allocatable": dict(amounts), "conditions": [READY]},
    }
    return merged(plain, changes)


def pod(**changes) -> dict:
    """Return a pod of ours that was just made; `changes` are of its metadata, spec and status."""
    labels = names.server_labels(INSTALL, SERVER) | {names.GPU_TYPE: "h100"}
    plain = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.server_name(INSTALL, SERVER),
            "namespace": "gpu-dev",
            "uid": "uid-1",
            "resourceVersion": "7",
            "creationTimestamp": before(600),
            "labels": labels,
            "annotations": {names.FILES: "digest", names.SLOTS: "0,1"},
            "finalizers": [names.FINALIZER],
        },
        "spec": {"containers": [{"name": "box"}]},
        "status": {"phase": "Pending"},
    }
    return merged(plain, changes)


def container(name: str = "box", *, last: dict | None = None, **state) -> dict:
    """Return a container's status; `state` is one of running, waiting and terminated."""
    started = state.pop("started", "running" in state)
    restarts = state.pop("restarts", 0)
    found = {"name": name, "image": "ubuntu:24.04", "state": state, "started": started, "restartCount": restarts}
    return found | ({"lastState": {"terminated": last}} if last else {})


def placed(phase: str = "Running", *containers: dict, where: str = "node-a", **changes) -> dict:
    """Return a pod of ours that a node has."""
    status = {
        "phase": phase,
        "podIP": "10.1.0.7",
        "startTime": before(500),
        "containerStatuses": list(containers),
    }
    return pod(spec={"nodeName": where}, status=merged(status, changes.pop("status", {})), **changes)


def server_spec(**changes) -> ServerSpec:
    """Return a box with two GPUs and a throw-away home."""
    fields = {
        "server_id": SERVER,
        "name": "work",
        "owner_number": 1,
        "owner": "ada",
        "node": "node-a",
        "gpu_type": "h100",
        "slots": (2, 3),
        "gpus": 2,
        "mount": None,
        "cpus": 4.5,
        "memory_bytes": 2**33,
        "files": {"authorized_keys": b"ssh-ed25519 AAAA ada\n"},
    }
    return ServerSpec(**(fields | changes))
