"""When a pod may go: its finalizer is ours, and is taken off when its node has let go of the box. Pure.

Tried on 1.36: a pod that is deleted, evicted or deleted by force stops, its volumes are unmounted, its phase becomes
terminal, and its object stays with a deletion grace of 0 until the finalizer is gone.
"""

from __future__ import annotations

from gpudev_sdk.kube.kinds import Json

_TERMINAL = ("Succeeded", "Failed")


def has_let_go(pod: Json, *, gone_is_off: bool) -> bool:
    """Say whether nothing of the pod runs any more and its volumes are free.

    A pod whose node's object was deleted is marked as failed by the cluster, which cannot know: it is believed only of
    clouds (`gone_is_off`), or once the containers were seen ended.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    if "deletionTimestamp" not in metadata:
        return False
    if not pod["spec"].get("nodeName"):
        return True
    if status.get("phase") not in _TERMINAL or metadata.get("deletionGracePeriodSeconds") != 0:
        return False
    return gone_is_off or not may_run_unseen(status)


def may_run_unseen(status: Json) -> bool:
    """Say whether a pod was marked as ended with its node, while what ran in it was not seen to end."""
    return _node_was_deleted(status) and _any_running(status)


def _any_running(status: Json) -> bool:
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return any("terminated" not in (each.get("state") or {}) for each in containers)


def _node_was_deleted(status: Json) -> bool:
    """https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions"""
    return any(
        each.get("type") == "DisruptionTarget" and each.get("reason") == "DeletionByPodGC"
        for each in status.get("conditions") or []
    )
