"""Who works in a cluster beside its API server: a kubelet, who provisions volumes, who takes snapshots, who protects claims.

Each is a controller of `fake_store`, and does at once what the real one does in a while. Content of volumes is kept by the uid of
their claims.
"""

from __future__ import annotations

import attrs

from tests.unit.kube.fake_store import Key, Store, now

PROTECTED = "kubernetes.io/pvc-protection"
_OVER = ("Succeeded", "Failed")


@attrs.define
class Kubelet:
    """Starts and stops what is bound to its node; with `idle`, only when a test says so."""

    idle: bool = False

    def __call__(self, store: Store, key: Key) -> None:
        """React to a change."""
        pod = store.objects.get(key)
        if self.idle or key[0] != "pods" or pod is None:
            return
        if "deletionTimestamp" in pod["metadata"]:
            if pod["status"]["phase"] not in _OVER and pod["spec"].get("nodeName"):
                self.stop(store, key)
        elif not pod["spec"].get("nodeName") and "affinity" in pod["spec"]:
            self.start(store, key)

    def start(self, store: Store, key: Key) -> None:
        """Bind a pod to the node it asks for, and run it."""
        terms = store.get(key)["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        where = terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
        box = {"name": "box", "state": {"running": {"startedAt": now()}}, "started": True, "restartCount": 0}
        status = {"phase": "Running", "podIP": "10.1.0.7", "startTime": now(), "containerStatuses": [box]}
        store.change(key, spec={"nodeName": where}, status=status)

    def stop(self, store: Store, key: Key) -> None:
        """End what runs in a pod that is to be deleted, and say that its node is done with it."""
        box = {"name": "box", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
        store.change(key, status={"phase": "Succeeded", "containerStatuses": [box]})
        if key in store.objects:
            store.delete(key, grace=0)


@attrs.define
class Disks:
    """Provisions claims, takes snapshots, and keeps a claim that a pod uses."""

    content: dict[str, bytes] = attrs.field(factory=dict)
    snapshots: dict[str, bytes] = attrs.field(factory=dict)
    #: With `idle`, nothing is provisioned or taken.
    idle: bool = False

    def __call__(self, store: Store, key: Key) -> None:
        """React to a change."""
        item = store.objects.get(key)
        if key[0] == "pods":
            self._unprotect(store)
        elif item is None or self.idle:
            return
        elif key[0] == "persistentvolumeclaims":
            self._provision(store, key)
            self._unprotect(store)
        elif key[0] == "volumesnapshots" and not item.get("status"):
            self._take(store, key)

    def _provision(self, store: Store, key: Key) -> None:
        claim = store.objects[key]
        uid, source = claim["metadata"]["uid"], claim["spec"].get("dataSource")
        if claim["status"]["phase"] != "Pending" or "deletionTimestamp" in claim["metadata"]:
            return
        if source is not None:
            snapshot = store.objects.get(("volumesnapshots", key[1], source["name"]))
            if snapshot is None or "deletionTimestamp" in snapshot["metadata"]:
                return
            self.content[uid] = self.snapshots[snapshot["metadata"]["uid"]]
        finalizers = [*(claim["metadata"].get("finalizers") or []), PROTECTED]
        store.change(key, metadata={"finalizers": finalizers}, status={"phase": "Bound"})

    def _take(self, store: Store, key: Key) -> None:
        snapshot = store.objects[key]
        name = snapshot["spec"]["source"]["persistentVolumeClaimName"]
        claim = store.objects.get(("persistentvolumeclaims", key[1], name))
        if claim is None or "deletionTimestamp" in claim["metadata"]:
            store.change(key, status={"readyToUse": False, "error": {"message": f"no claim {name} to take it of"}})
            return
        self.snapshots[snapshot["metadata"]["uid"]] = self.content.get(claim["metadata"]["uid"], b"")
        size = claim["spec"]["resources"]["requests"]["storage"]
        store.change(key, status={"readyToUse": True, "creationTime": now(), "restoreSize": size})

    def _unprotect(self, store: Store) -> None:
        """Let claims go that are to be deleted and that no pod uses."""
        used = {
            volume.get("persistentVolumeClaim", {}).get("claimName")
            for (kind, _, _), pod in store.objects.items()
            if kind == "pods" and pod["status"]["phase"] not in _OVER
            for volume in pod["spec"].get("volumes", [])
        }
        for key, claim in list(store.objects.items()):
            kept = claim["metadata"].get("finalizers") or []
            is_leaving = "deletionTimestamp" in claim["metadata"] and PROTECTED in kept
            if key[0] == "persistentvolumeclaims" and is_leaving and key[2] not in used:
                store.change(key, metadata={"finalizers": [name for name in kept if name != PROTECTED] or None})
