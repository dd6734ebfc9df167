"""The card of a volume or a snapshot: an object that says where its folder is, what it is, and how far it is.

What is asked about a disk is answered by cards, so no question needs a pod. They lie beside the short pods, which they own.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid

import attrs

from gpudev_sdk.domain.disk import SnapshotSpec, VolumeSpec
from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import CONFIG_MAP, Json

STATE, SIZE, ENDED = (f"{names.PREFIX}/{what}" for what in ("state", "size", "completed-at"))
#: Which label holds the id, and in which folder what it names lies.
_PLACES = {names.VOLUME: "volumes", names.SNAPSHOT: "snapshots"}
#: Which part of an install the cards of each are.
_PARTS = {names.VOLUME: "volume-card", names.SNAPSHOT: "snapshot-card"}


class State(enum.StrEnum):
    """How far a card is."""

    #: A pod makes its folder, or did and nobody looked since.
    MAKING = "making"
    #: Its folder is there, whole.
    MADE = "made"
    #: It was given up; the folder goes.
    REMOVING = "removing"


@attrs.frozen(kw_only=True)
class Card:
    """One card, as the API server has it."""

    name: str
    #: `names.VOLUME` or `names.SNAPSHOT`.
    label: str
    id: uuid.UUID
    disk_id: uuid.UUID
    node: str
    #: The node's folder in which all of ours lies.
    folder: str
    #: The snapshot or the volume that it is a copy of, if of one.
    source: uuid.UUID | None
    state: State
    size_bytes: int | None
    ended_at: dt.datetime | None
    item: Json = attrs.field(repr=False, eq=False)

    @property
    def within(self) -> str:
        """Return its folder below the node's."""
        return f"{_PLACES[self.label]}/{self.id}"

    @property
    def path(self) -> str:
        """Return its folder on the node."""
        return f"{self.folder}/{self.within}"

    @property
    def handle(self) -> str:
        """Return what names it for people and for the engine."""
        return f"{self.node}:{self.path}"

    @property
    def is_volume(self) -> bool:
        """Whether it is a volume's."""
        return self.label == names.VOLUME

    def marker(self, install: uuid.UUID) -> str:
        """Return what the marker in its folder says, word for word."""
        what = _PLACES[self.label].removesuffix("s")
        lines = [f"install {install}", f"disk {self.disk_id}", f"{what} {self.id}", f"from {self.source or 'nothing'}"]
        return "\n".join(lines)


def of_volume(install: uuid.UUID, spec: VolumeSpec, folder: str, source: uuid.UUID | None) -> Json:
    """Return the card of a volume that is to be made, empty or of a snapshot."""
    labels = {names.PART: _PARTS[names.VOLUME], names.VOLUME: str(spec.volume_id), names.DISK: str(spec.disk_id)}
    name = names.volume_name(install, spec.volume_id)
    return _body(install, name, labels, {"node": spec.node, "folder": folder, "source": str(source or "")})


def of_snapshot(install: uuid.UUID, spec: SnapshotSpec, volume: Card) -> Json:
    """Return the card of a snapshot that is to be taken of a volume, beside it."""
    part = _PARTS[names.SNAPSHOT]
    labels = {names.PART: part, names.SNAPSHOT: str(spec.snapshot_id), names.DISK: str(volume.disk_id)}
    name = names.snapshot_name(install, spec.snapshot_id)
    return _body(install, name, labels, {"node": volume.node, "folder": volume.folder, "source": str(volume.id)})


def _body(install: uuid.UUID, name: str, labels: dict[str, str], data: dict[str, str]) -> Json:
    metadata = {
        "name": name,
        "labels": {names.INSTALL: str(install), **labels},
        "annotations": {STATE: State.MAKING.value},
    }
    return CONFIG_MAP.body(metadata, data=data)


def read(item: Json) -> Card | None:
    """Return the card that an object is, or None for one that is none of ours or was spoilt."""
    metadata, data = item["metadata"], item.get("data") or {}
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    label = names.VOLUME if names.VOLUME in labels else names.SNAPSHOT
    try:
        return Card(
            name=metadata["name"],
            label=label,
            id=uuid.UUID(labels[label]),
            disk_id=uuid.UUID(labels[names.DISK]),
            node=data["node"],
            folder=data["folder"],
            source=uuid.UUID(data["source"]) if data["source"] else None,
            state=State(notes[STATE]),
            size_bytes=int(notes[SIZE]) if SIZE in notes else None,
            ended_at=dt.datetime.fromisoformat(notes[ENDED]) if ENDED in notes else None,
            item=item,
        )
    except (KeyError, ValueError):
        return None


def selector(install: uuid.UUID, label: str) -> str:
    """Return what selects the cards of all volumes, or of all snapshots."""
    return names.selector(install, _PARTS[label])
