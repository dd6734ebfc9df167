"""A cloud, its providers, and specs, for tests of the simulated cloud."""

from __future__ import annotations

import datetime as dt
import pathlib
import random
import uuid

import attrs

from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec, VolumeRef, VolumeSpec
from gpudev_sdk.domain.server import ServerId, ServerSpec
from gpudev_sdk.providers import Context
from gpudev_sdk.testing.cloud import (
    SimulatedCloud,
    SimulatedCompute,
    SimulatedSettings,
    SimulatedStorage,
    VirtualClock,
    Weather,
)

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CONTEXT = Context(install_id=uuid.UUID(int=1), name="place", data_folder=pathlib.Path("/nowhere"))


def seconds(number: float) -> dt.timedelta:
    """Return a length."""
    return dt.timedelta(seconds=number)


@attrs.define
class Place:
    """One cloud, with the providers of one process of ours."""

    cloud: SimulatedCloud
    compute: SimulatedCompute
    storage: SimulatedStorage

    @classmethod
    def under(cls, seed: int = 7, **weather: object) -> Place:
        """Return a cloud in calm weather but for what is named."""
        cloud = SimulatedCloud(VirtualClock(START), random.Random(seed), Weather(**weather))
        return cls(cloud, *providers(cloud))

    def another_process(self) -> Place:
        """Return the same cloud as a fresh process sees it: it remembers nothing."""
        return Place(self.cloud, *providers(self.cloud))

    def pass_by(self, number: float) -> None:
        """Let time pass."""
        self.cloud.advance(seconds(number))

    def volume(self, number: int = 1) -> VolumeRef:
        """Make a volume."""
        spec = volume_spec(number)
        self.storage.create_volume(spec)
        return VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id)

    def box(self, number: int = 1, **fields: object) -> ServerSpec:
        """Launch a server, with the disk if a volume is named."""
        spec = server_spec(number, **fields)
        self.compute.launch(spec)
        return spec

    def on(self, volume: VolumeRef, number: int = 1, **fields: object) -> ServerSpec:
        """Launch a server with a disk."""
        return self.box(number, mount=self.storage.mount(volume), **fields)

    def snapshot(self, volume: VolumeRef, number: int = 1) -> SnapshotRef:
        """Begin a snapshot."""
        spec = snapshot_spec(volume, number)
        return SnapshotRef(
            snapshot_id=spec.snapshot_id, disk_id=volume.disk_id, handle=self.storage.create_snapshot(spec)
        )

    def content(self, volume: VolumeRef) -> tuple[str, ...]:
        """Return what is on a volume, as is true."""
        return next(seen.content for seen in self.cloud.volumes() if seen.volume_id == volume.volume_id)


def providers(cloud: SimulatedCloud) -> tuple[SimulatedCompute, SimulatedStorage]:
    """Return a process's providers."""
    settings = SimulatedSettings(cloud=cloud)
    return SimulatedCompute(settings, CONTEXT), SimulatedStorage(settings, CONTEXT)


def server_id(number: int = 1, attempt: int = 1) -> ServerId:
    """Name a server."""
    return ServerId(uuid.UUID(int=100 + number), attempt)


def server_spec(number: int = 1, **fields: object) -> ServerSpec:
    """Return a server with one GPU of node-a, whose index is its number."""
    spec = ServerSpec(
        server_id=server_id(number),
        name="box",
        owner_number=1,
        owner="ada",
        node="node-a",
        gpu_type="h100",
        slots=(number,),
        gpus=1,
        mount=None,
    )
    return attrs.evolve(spec, **fields)


def volume_spec(number: int = 1) -> VolumeSpec:
    """Return a volume of node-a's zone; all are of one disk."""
    return VolumeSpec(
        volume_id=uuid.UUID(int=200 + number),
        disk_id=uuid.UUID(int=9),
        owner_number=1,
        size_bytes=2**30,
        node="node-a",
    )


def snapshot_spec(volume: VolumeRef, number: int = 1) -> SnapshotSpec:
    """Return a snapshot."""
    return SnapshotSpec(snapshot_id=uuid.UUID(int=300 + number), volume=volume, owner_number=1)
