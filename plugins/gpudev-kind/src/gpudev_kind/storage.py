"""Disks as folders of a node, with snapshots, since kind's own provisioner has none.

A volume is a folder that a short pod makes, a PersistentVolume made for it by hand, and a claim that boxes use. A snapshot is
a copy beside it. The folder is the disk and stays where it is: on its node.
"""

from __future__ import annotations

import threading
import uuid
from typing import ClassVar

import attrs

from gpudev_kind import cards
from gpudev_kind.cards import Card
from gpudev_kind.claims import Claims
from gpudev_kind.seeing import check, see_snapshot, see_unready, see_volume
from gpudev_kind.settings import KindSettings
from gpudev_kind.shelf import Shelf, Stage
from gpudev_sdk.domain.disk import (
    Mount,
    MountKind,
    SnapshotRef,
    SnapshotSighting,
    SnapshotSpec,
    VolumeRef,
    VolumeSighting,
    VolumeSpec,
)
from gpudev_sdk.errors import Conflict, NoCapacity, ProviderError, TryLater, Unworkable
from gpudev_sdk.kube import cluster, disks, names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import CLAIM, NODE, POD, Json
from gpudev_sdk.providers import Context, Storage


@attrs.frozen(kw_only=True)
class _Opened:
    """What the storage works with."""

    api: Api
    claims: Claims
    shelf: Shelf


class KindStorage(Storage):
    """Folders of the nodes of one cluster."""

    Settings: ClassVar[type[KindSettings]] = KindSettings
    keep_volumes = None

    def __init__(self, settings: KindSettings, context: Context) -> None:
        self._settings = settings
        self._install = context.install_id
        self._opening = threading.Lock()
        self._opened: _Opened | None = None

    def connect(self, namespace: str) -> Api:
        """Reach the cluster; nothing is dialled yet."""
        return cluster.connect(self._settings.kubeconfig, self._settings.context, namespace)

    def create_volume(self, spec: VolumeSpec) -> str:
        return self._make_volume(spec, None)

    def create_volume_from_snapshot(self, spec: VolumeSpec, snapshot: SnapshotRef) -> str:
        made = self._shelf.find(self._volume_name(spec.volume_id))
        if made is not None and self._shelf.look(made).stage in (Stage.MADE, Stage.MAKING):
            return self._same(made, spec.disk_id, snapshot.snapshot_id).handle
        source = self._shelf.find(self._snapshot_name(snapshot.snapshot_id))
        if source is None:
            raise Unworkable(f"the snapshot {snapshot.snapshot_id} is not there any more")
        check(source, snapshot.disk_id, snapshot.handle)
        look = self._shelf.look(source)
        if look.stage is Stage.MAKING:
            raise TryLater(f"the snapshot {snapshot.snapshot_id} is not complete yet")
        if look.stage is not Stage.MADE:
            raise Unworkable(f"the snapshot {snapshot.snapshot_id} is not there: {look.reason or 'it was deleted'}")
        if source.node != spec.node:
            hint = f"Ask for a box on {source.node}: kind keeps a disk and its snapshots on one node."
            raise Unworkable(f"the snapshot lies on {source.node}, and the box would be on {spec.node}", hint=hint)
        return self._make_volume(spec, look.card)

    def get_volume(self, volume: VolumeRef) -> VolumeSighting:
        try:
            card = self._shelf.find(self._volume_name(volume.volume_id))
            if card is None:
                return VolumeSighting(volume_id=volume.volume_id, presence="absent")
            look = self._shelf.look(card)
            if look.stage is not Stage.MADE:
                return see_unready(look)
            return see_volume(look.card, self._api.find(CLAIM, card.name), self._pods())
        except ProviderError as error:
            return VolumeSighting(volume_id=volume.volume_id, presence="unknown", reason=error.message)

    def list_volumes(self) -> tuple[VolumeSighting, ...]:
        looks = self._shelf.look_at_all(names.VOLUME)
        made = any(look.stage is Stage.MADE for look in looks)
        claimed = self._api.list(CLAIM, names.selector(self._install, "disk")).items if made else []
        by_name = {found["metadata"]["name"]: found for found in claimed}
        pods = self._pods() if made else []
        seen = [
            see_volume(look.card, by_name.get(look.card.name), pods) if look.stage is Stage.MADE else see_unready(look)
            for look in looks
        ]
        return tuple(sighting for sighting in seen if sighting.presence != "absent")

    def delete_volume(self, volume: VolumeRef) -> None:
        card = self._shelf.find(self._volume_name(volume.volume_id))
        if card is None:
            return
        check(card, volume.disk_id, volume.handle)
        if self._shelf.look(card).stage is Stage.MAKING:
            raise TryLater("the disk is still being made")
        users = disks.users_of(card.name, self._pods())
        if users:
            raise Conflict(f"the volume is in use by {', '.join(users)}")
        self._remove(card.name)

    def mount(self, volume: VolumeRef) -> Mount:
        card = self._shelf.find(self._volume_name(volume.volume_id))
        if card is None:
            raise Unworkable("the disk's volume is gone", hint="Restore it from a snapshot.")
        check(card, volume.disk_id, volume.handle)
        look = self._shelf.look(card)
        if look.stage is Stage.MAKING:
            raise TryLater("the disk is still being made", delay=1.0)
        claim = self._api.find(CLAIM, card.name) if look.stage is Stage.MADE else None
        if claim is None or "deletionTimestamp" in claim["metadata"]:
            hint = f"Its data, if it was not removed, is kept on {card.node} in {card.path}."
            raise Unworkable(f"the disk has no claim {card.name} any more", hint=hint)
        return Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=MountKind.CLAIM, source=card.name)

    def create_snapshot(self, spec: SnapshotSpec) -> str:
        volume = self._shelf.find(self._volume_name(spec.volume.volume_id))
        made = self._shelf.find(self._snapshot_name(spec.snapshot_id))
        if made is not None:
            self._same(made, spec.volume.disk_id, spec.volume.volume_id)
            if self._shelf.look(made).stage is not Stage.DEAD:
                return made.handle
        if volume is None:
            raise Unworkable(f"the volume {spec.volume.volume_id} is not there")
        check(volume, spec.volume.disk_id, spec.volume.handle)
        look = self._shelf.look(volume)
        if look.stage is Stage.MAKING:
            raise TryLater("the disk is still being made")
        if look.stage is not Stage.MADE:
            raise Unworkable(f"the volume {spec.volume.volume_id} is not there: {look.reason or 'it was deleted'}")
        card = made or self._shelf.write(cards.of_snapshot(self._install, spec, volume))
        self._shelf.begin(card, volume)
        return card.handle

    def get_snapshot(self, snapshot: SnapshotRef) -> SnapshotSighting:
        try:
            card = self._shelf.find(self._snapshot_name(snapshot.snapshot_id))
            if card is None:
                return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="absent")
            return see_snapshot(self._shelf.look(card))
        except ProviderError as error:
            return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="unknown", reason=error.message)

    def list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        seen = map(see_snapshot, self._shelf.look_at_all(names.SNAPSHOT))
        return tuple(sighting for sighting in seen if sighting.presence != "absent")

    def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        card = self._shelf.find(self._snapshot_name(snapshot.snapshot_id))
        if card is None:
            return
        check(card, snapshot.disk_id, snapshot.handle)
        if self._shelf.look(card).stage is Stage.MAKING:
            raise TryLater("the snapshot is still being taken")
        fresh = self._shelf.find(card.name)
        if fresh is not None:
            self._shelf.begin(self._shelf.give_up(fresh))

    @property
    def _api(self) -> Api:
        return self._open().api

    @property
    def _claims(self) -> Claims:
        return self._open().claims

    @property
    def _shelf(self) -> Shelf:
        return self._open().shelf

    def _open(self) -> _Opened:
        with self._opening:
            if self._opened is None:
                api = self.connect(self._settings.namespace)
                self._opened = _Opened(
                    api=api,
                    claims=Claims(api, self._settings, self._install),
                    shelf=Shelf(self.connect(self._settings.helper_namespace), self._settings, self._install),
                )
            return self._opened

    def _volume_name(self, volume_id: uuid.UUID) -> str:
        return names.volume_name(self._install, volume_id)

    def _snapshot_name(self, snapshot_id: uuid.UUID) -> str:
        return names.snapshot_name(self._install, snapshot_id)

    def _make_volume(self, spec: VolumeSpec, source: Card | None) -> str:
        """Begin a volume, find that it was begun, or say once why it could not be made."""
        from_id = None if source is None else source.id
        card = self._shelf.find(self._volume_name(spec.volume_id))
        if card is not None:
            self._same(card, spec.disk_id, from_id)
            look = self._shelf.look(card)
            if look.stage in (Stage.MADE, Stage.MAKING):
                return card.handle
            if look.stage is Stage.REMOVING:
                raise TryLater("a volume of that id is still being removed")
            if look.stage is Stage.FAILED:
                self._remove(card.name)
                raise Unworkable(f"the disk cannot be made on {card.node}: {look.reason}")
        node = self._api.find(NODE, spec.node)
        if node is None:
            raise NoCapacity(f"there is no node {spec.node[:80]!r} in this cluster now")
        written = self._shelf.write(cards.of_volume(self._install, spec, self._settings.folder, from_id))
        self._same(written, spec.disk_id, from_id)
        self._claims.make(written, spec, node)
        self._shelf.begin(written, source)
        return written.handle

    def _same(self, card: Card, disk_id: uuid.UUID, source: uuid.UUID | None) -> Card:
        check(card, disk_id, None)
        if card.source != source:
            raise Unworkable(f"{card.name} was made of {card.source or 'nothing'}, not of {source or 'nothing'}")
        return card

    def _remove(self, name: str) -> None:
        """Write down that a volume goes, take its claim away, and have its folder removed."""
        card = self._shelf.find(name)
        if card is not None:
            gone = self._shelf.give_up(card)
            self._claims.remove(name)
            self._shelf.begin(gone)

    def _pods(self) -> list[Json]:
        """Return all pods of the boxes' namespace, whoever's they are: any of them may use a claim."""
        return self._api.list(POD).items
