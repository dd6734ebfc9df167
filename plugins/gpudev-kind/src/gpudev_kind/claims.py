"""How a folder becomes a disk that a pod can use: a PersistentVolume made for it by hand, and the claim that has it.

A static volume: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reserving-a-persistentvolume . Its type
`Directory` keeps a box from starting where the folder is gone, instead of giving it an empty one.
"""

from __future__ import annotations

import uuid

from gpudev_kind.cards import Card
from gpudev_kind.settings import KindSettings
from gpudev_sdk.domain.disk import VolumeSpec
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import disks, names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.catalogue import labels_of
from gpudev_sdk.kube.errors import ObjectExists
from gpudev_sdk.kube.keeping import let_go
from gpudev_sdk.kube.kinds import CLAIM, VOLUME, Json, Kind

#: What a node calls itself to volumes, whose affinity knows labels alone.
HOSTNAME = "kubernetes.io/hostname"


def volume(card: Card, claimed: Json, hostname: str, namespace: str) -> Json:
    """Return the PersistentVolume of a card's folder, which `claimed` alone may have."""
    labels, spec = claimed["metadata"]["labels"], claimed["spec"]
    here = {"key": HOSTNAME, "operator": "In", "values": [hostname]}
    return VOLUME.body(
        {"name": card.name, "labels": labels},
        spec={
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {
                "apiVersion": CLAIM.group_version,
                "kind": CLAIM.name,
                "namespace": namespace,
                "name": card.name,
            },
            "hostPath": {"path": f"{card.path}/home", "type": "Directory"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    )


def claim(spec: VolumeSpec, settings: KindSettings, install: uuid.UUID) -> Json:
    """Return the claim of a volume: as any cluster's, but for the one PersistentVolume and no class."""
    body = disks.claim(spec, settings, install)
    bound = {"storageClassName": "", "volumeName": names.volume_name(install, spec.volume_id)}
    return {**body, "spec": body["spec"] | bound}


class Claims:
    """The claims of one install, in the namespace of the boxes, with their PersistentVolumes."""

    def __init__(self, api: Api, settings: KindSettings, install: uuid.UUID) -> None:
        self._api, self._settings, self._install = api, settings, install

    def make(self, card: Card, spec: VolumeSpec, node: Json) -> None:
        """Make both, bound to each other; what is there already is kept."""
        body = claim(spec, self._settings, self._install)
        hostname = labels_of(node).get(HOSTNAME, card.node)
        self._ensure(VOLUME, volume(card, body, hostname, self._settings.namespace))
        self._ensure(CLAIM, body)

    def remove(self, name: str) -> None:
        """Remove both; the folder is not touched by it."""
        found = self._find(CLAIM, name)
        if found is not None:
            let_go(self._api, CLAIM, found)
            self._api.delete(CLAIM, name, uid=found["metadata"]["uid"])
        held = self._find(VOLUME, name)
        if held is not None:
            self._api.delete(VOLUME, name, uid=held["metadata"]["uid"])

    def _find(self, kind: Kind, name: str) -> Json | None:
        found = self._api.find(kind, name)
        return found if found is not None and names.is_ours(found, self._install) else None

    def _ensure(self, kind: Kind, body: Json) -> None:
        name = body["metadata"]["name"]
        try:
            self._api.create(kind, body)
        except ObjectExists:
            found = self._find(kind, name)
            if found is None or "deletionTimestamp" in found["metadata"]:
                raise TryLater(f"{name} is being removed, or is not ours", delay=1.0) from None
