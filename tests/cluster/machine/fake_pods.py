"""The kubelet of fake nodes: pods bound to them run, and end when they are deleted, as far as the API server can see."""

from __future__ import annotations

import datetime

from tests.cluster.machine.api import Api


def tend(api: Api, nodes: set[str], real: str) -> None:
    """Look once at the pods of some nodes, and say of each what a kubelet would."""
    # What the API server has in memory is new enough: it is asked several times a second.
    for pod in _bound(api, nodes, fieldSelector=f"spec.nodeName!={real}", resourceVersion="0"):
        _tend_one(api, pod)


def forget(api: Api, nodes: set[str]) -> None:
    """Delete the pods of some nodes at once; one that has a finalizer stays until that is taken off."""
    for pod in _bound(api, nodes):
        api.delete(_path(pod), {"gracePeriodSeconds": 0})


def _bound(api: Api, nodes: set[str], **query: str) -> list[dict]:
    found = api.find("/api/v1/pods", **query) or {}
    return [pod for pod in found.get("items", ()) if pod["spec"].get("nodeName") in nodes]


def _path(pod: dict) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _tend_one(api: Api, pod: dict) -> None:
    meta, phase, path = pod["metadata"], pod["status"].get("phase", "Pending"), _path(pod)
    if "deletionTimestamp" not in meta:
        if phase == "Pending":
            _say(api, path, pod, _running(pod))
        return
    if phase in ("Pending", "Running"):
        _say(api, path, pod, _ended(pod))
    # With a grace of 0 it was asked for already, and waits for somebody's finalizer.
    if meta.get("deletionGracePeriodSeconds") != 0 or not meta.get("finalizers"):
        api.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}})


def _say(api: Api, path: str, pod: dict, status: dict) -> None:
    # The uid is a precondition: a pod of the same name may have come meanwhile, and is refused with a conflict.
    api.patch_status(path, {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status})


def _running(pod: dict) -> dict:
    stamp = _stamp()
    # Of the range for documentation: nobody is reached there.
    address = "198.51.100.1"
    return {
        "phase": "Running",
        "startTime": stamp,
        "hostIP": "192.0.2.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _conditions("True", stamp),
        "initContainerStatuses": _containers(pod, "initContainers", _finished(stamp)),
        "containerStatuses": _containers(pod, "containers", {"running": {"startedAt": stamp}}),
    }


def _ended(pod: dict) -> dict:
    stamp = _stamp()
    statuses = _containers(pod, "containers", _finished(stamp))
    return {"phase": "Succeeded", "conditions": _conditions("False", stamp), "containerStatuses": statuses}


def _conditions(ready: str, stamp: str) -> list[dict]:
    states = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": ready, "Ready": ready}
    return [{"type": kind, "status": status, "lastTransitionTime": stamp} for kind, status in states.items()]


def _containers(pod: dict, kind: str, state: dict) -> list[dict]:
    runs = "running" in state
    return [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": f"{container['image']}@sha256:{'0' * 64}",
            "containerID": f"fake://{pod['metadata']['uid']}-{container['name']}",
            "ready": runs or kind == "initContainers",
            "started": runs,
            "restartCount": 0,
            "state": state,
        }
        for container in pod["spec"].get(kind, ())
    ]


def _finished(stamp: str) -> dict:
    return {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": stamp, "finishedAt": stamp}}


def _stamp() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
