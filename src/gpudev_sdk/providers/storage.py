"""Storage: volumes and snapshots. The laws of `compute` hold here too.

Our ids are the names: a volume or snapshot is found again by the id that create was given, whatever the cloud calls it.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from gpudev_sdk.domain.disk import (
    Mount,
    MountKind,
    Reach,
    SnapshotRef,
    SnapshotSighting,
    SnapshotSpec,
    VolumeRef,
    VolumeSighting,
    VolumeSpec,
)
from gpudev_sdk.providers.context import Context


class Storage(ABC):
    """A place where volumes and their snapshots live."""

    #: An attrs class; compute and storage of one plugin may share it.
    Settings: ClassVar[type[Any]]
    #: How it hands its volumes over, where that is always the same; None is not said beforehand.
    gives: ClassVar[MountKind | None] = None
    #: Whether its volumes lie on this very machine, so that only boxes here can have them.
    is_here: ClassVar[bool] = False
    #: How long an unused volume stays after its snapshot; None means the volume is the disk and stays.
    keep_volumes: dt.timedelta | None = None
    #: How far from where it was made a volume can be mounted; a property where settings decide.
    reach: Reach = Reach.NODE

    @abstractmethod
    def __init__(self, settings: Any, context: Context) -> None:
        """Keep settings and context; open nothing yet."""

    @abstractmethod
    def create_volume(self, spec: VolumeSpec) -> str:
        """Make an empty volume and return the cloud's handle; the same spec again returns the same handle."""

    @abstractmethod
    def create_volume_from_snapshot(self, spec: VolumeSpec, snapshot: SnapshotRef) -> str:
        """Make a volume with the snapshot's content and return the handle. Never falls back to an empty one."""

    def get_volume(self, volume: VolumeRef) -> VolumeSighting:
        """Say what is there now: what the list has of it, which is whole. Override it where one can be asked for alone."""
        for seen in self.list_volumes():
            if seen.volume_id == volume.volume_id:
                return seen
        return VolumeSighting(volume_id=volume.volume_id, presence="absent")

    @abstractmethod
    def list_volumes(self) -> tuple[VolumeSighting, ...]:
        """List every volume of this install. A partial list is an error, never an answer."""

    @abstractmethod
    def delete_volume(self, volume: VolumeRef) -> None:
        """Remove a volume the engine marked `deleting`; raise Conflict while it is attached."""

    @abstractmethod
    def mount(self, volume: VolumeRef) -> Mount:
        """Return how compute gets at it; raise Unworkable if it is not what we made (marker missing)."""

    @abstractmethod
    def create_snapshot(self, spec: SnapshotSpec) -> str:
        """Begin a snapshot and return its handle. Raises SnapshotsOff where this volume cannot have one."""

    def get_snapshot(self, snapshot: SnapshotRef) -> SnapshotSighting:
        """Say how far it is, as the list does; override it where one can be asked for alone."""
        for seen in self.list_snapshots():
            if seen.snapshot_id == snapshot.snapshot_id:
                return seen
        return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="absent")

    @abstractmethod
    def list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        """List every snapshot of this install. A partial list is an error, never an answer."""

    @abstractmethod
    def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        """Remove a snapshot; gone is fine."""
