"""Attaches a cloud's disks to the node, and detaches them, as a cloud's own driver does it: when Kubernetes asks.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume-attachment-v1/ : the controllers make an
object for each disk that a pod on a node needs, the kubelet mounts once that says `attached`, and it goes when the disk is
unmounted. So what the cloud says of a disk's attachments is true at every moment.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import attrs
import httpx2

from tests.cluster.machine.api import Api, ApiRefused
from tests.cluster.machine.objects import STORAGE

_ATTACHMENTS, _VOLUMES = f"/apis/{STORAGE}/volumeattachments", "/api/v1/persistentvolumes"
#: Seconds between two looks.
_LOOK = 0.1


class NotAttached(Exception):
    """The cloud says no; the message has why."""


@attrs.frozen(kw_only=True)
class Attaching:
    """One cloud's hand in the cluster. `attach` and `detach` are given the handle of a disk; twice is as once."""

    api: Api
    driver: str
    attach: Callable[[str], None]
    detach: Callable[[str], None]

    @property
    def _finalizer(self) -> str:
        return f"external-attacher/{self.driver.replace('.', '-')}"

    def look(self) -> None:
        """Do what is wanted now."""
        for item in self._listed(_ATTACHMENTS):
            if item["spec"]["attacher"] == self.driver:
                self._tend(item)

    def left(self) -> list[str]:
        """Return the attachments there are, and the objects of volumes."""
        attached = [item for item in self._listed(_ATTACHMENTS) if item["spec"]["attacher"] == self.driver]
        volumes = [item for item in self._listed(_VOLUMES) if item["spec"].get("csi", {}).get("driver") == self.driver]
        return [item["metadata"]["name"] for item in (*attached, *volumes)]

    def _listed(self, path: str) -> list[dict]:
        return (self.api.find(path) or {"items": []})["items"]

    def _tend(self, item: dict) -> None:
        path, held = f"{_ATTACHMENTS}/{item['metadata']['name']}", item["metadata"].get("finalizers") or []
        volume = f"{_VOLUMES}/{item['spec']['source']['persistentVolumeName']}"
        found = self.api.find(volume)
        if "deletionTimestamp" in item["metadata"] and self._finalizer in held:
            if found is not None:
                self.detach(found["spec"]["csi"]["volumeHandle"])
                self._hold(volume, found, held=False)
            self.api.patch(path, {"metadata": {"finalizers": None}})
        elif "deletionTimestamp" not in item["metadata"] and not (item.get("status") or {}).get("attached"):
            self.api.patch(path, {"metadata": {"finalizers": [self._finalizer]}})
            self.api.patch_status(path, {"status": self._attached(volume, found)})

    def _attached(self, volume: str, found: dict | None) -> dict:
        if found is None:
            return {"attached": False, "attachError": {"message": "the volume's object is not there"}}
        try:
            # Whoever deletes the object now has to wait: without it nobody knows any more what to detach.
            self._hold(volume, found, held=True)
            self.attach(found["spec"]["csi"]["volumeHandle"])
        except NotAttached as error:
            return {"attached": False, "attachError": {"message": str(error)}}
        return {"attached": True, "attachError": None}

    def _hold(self, volume: str, found: dict, *, held: bool) -> None:
        others = [name for name in found["metadata"].get("finalizers") or [] if name != self._finalizer]
        wanted = [*others, self._finalizer] if held else others
        version = found["metadata"]["resourceVersion"]
        self.api.patch(volume, {"metadata": {"resourceVersion": version, "finalizers": wanted or None}})


@contextlib.contextmanager
def going_on(attaching: Attaching) -> Iterator[None]:
    """Look again and again until the end of the block; what changed meanwhile, or was not seen, is looked at anew."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(_LOOK):
            with contextlib.suppress(ApiRefused, httpx2.TransportError):
                attaching.look()

    thread = threading.Thread(target=run, name=f"attaching {attaching.driver}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
