"""Boxes in a dictionary, disks in folders, and a login by a shared word: every law of the contract, and nothing behind it."""

from __future__ import annotations

import datetime as dt
import hmac
import pathlib
import shutil
import uuid
from collections.abc import Mapping

import attrs

from gpudev_sdk.domain import disk, gpu, server, user
from gpudev_sdk.errors import Conflict, NoCapacity, NotSignedIn, Unworkable
from gpudev_sdk.providers import Compute, Context, IdentityProvider, Storage


@attrs.frozen(kw_only=True)
class ExampleSettings:
    """What `[backends.NAME.example]` and `[logins.NAME.example]` may say."""

    gpus: int = 2
    word: str = attrs.field(default="", repr=False)


class ExampleCompute(Compute):
    Settings = ExampleSettings

    def __init__(self, settings: ExampleSettings, context: Context) -> None:
        self._gpus = settings.gpus
        self._attached = context.data_folder / str(context.install_id) / "attached"
        self._files: dict[server.ServerId, dict[str, bytes]] = {}
        self._tombstones: set[server.ServerId] = set()
        self._claim: server.Claim | None = None

    def gpu_types(self) -> tuple[gpu.GpuType, ...]:
        return (gpu.GpuType(name="example", gpus_per_node=self._gpus, pretended=True),)

    def nodes(self) -> tuple[gpu.Node, ...]:
        slots = tuple(gpu.Slot(gpu_type="example", index=index) for index in range(self._gpus))
        return (gpu.Node(name="shelf", slots=slots),)

    def launch(self, spec: server.ServerSpec) -> None:
        if spec.node != "shelf":
            raise NoCapacity
        if spec.server_id not in self._tombstones:
            self._files.setdefault(spec.server_id, dict(spec.files))
            if spec.mount is not None:
                (self._attached / str(spec.mount.volume_id) / str(spec.server_id)).mkdir(parents=True, exist_ok=True)

    def observe(self, server_id: server.ServerId) -> server.Sighting:
        if server_id not in self._files:
            return server.Sighting.absent()
        there = server.Presence.PRESENT
        digest = server.digest_files(self._files[server_id])
        return server.Sighting(presence=there, phase=server.Phase.READY, endpoint="unix:/none", files_digest=digest)

    def configure(self, server_id: server.ServerId, files: Mapping[str, bytes]) -> None:
        if server_id in self._files:
            self._files[server_id] = dict(files)

    def terminate(self, server_id: server.ServerId) -> None:
        self._tombstones.add(server_id)
        self._files.pop(server_id, None)
        for attachment in self._attached.glob(f"*/{server_id}"):
            attachment.rmdir()

    def list_servers(self) -> tuple[server.ServerId, ...]:
        return tuple(self._files)

    def read_claim(self) -> server.Claim | None:
        return self._claim

    def write_claim(self, new: server.Claim, expected: server.Claim | None) -> None:
        if self._claim != expected:
            raise Conflict
        self._claim = new


class ExampleStorage(Storage):
    Settings = ExampleSettings

    def __init__(self, settings: ExampleSettings, context: Context) -> None:
        self._ours = context.data_folder / str(context.install_id)

    def create_volume(self, spec: disk.VolumeSpec) -> str:
        self._folder(spec).mkdir(parents=True, exist_ok=True)
        return self._folder(spec).name

    def create_volume_from_snapshot(self, spec: disk.VolumeSpec, snapshot: disk.SnapshotRef) -> str:
        return self._copy(self._ours / "snapshots" / str(snapshot.snapshot_id), self._folder(spec))

    def list_volumes(self) -> tuple[disk.VolumeSighting, ...]:
        return tuple(self._see_volume(folder.name) for folder in self._ours.glob("volumes/*"))

    def delete_volume(self, volume: disk.VolumeRef) -> None:
        if self.get_volume(volume).attachments:
            raise Conflict
        _remove(self._folder(volume))

    def mount(self, volume: disk.VolumeRef) -> disk.Mount:
        folder, kind = self._folder(volume), disk.MountKind.HOST_PATH
        if not folder.is_dir():
            raise Unworkable("there is no such volume of that disk")
        return disk.Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=kind, source=str(folder))

    def create_snapshot(self, spec: disk.SnapshotSpec) -> str:
        return self._copy(self._folder(spec.volume), self._ours / "snapshots" / str(spec.snapshot_id))

    def list_snapshots(self) -> tuple[disk.SnapshotSighting, ...]:
        return tuple(_see_snapshot(folder) for folder in self._ours.glob("snapshots/*"))

    def delete_snapshot(self, snapshot: disk.SnapshotRef) -> None:
        _remove(self._ours / "snapshots" / str(snapshot.snapshot_id))

    def _folder(self, volume: disk.VolumeSpec | disk.VolumeRef) -> pathlib.Path:
        return self._ours / "volumes" / f"{volume.volume_id}_{volume.disk_id}"

    def _copy(self, source: pathlib.Path, target: pathlib.Path) -> str:
        if not target.exists():
            if not source.is_dir():
                raise Unworkable("what was to be copied is not there")
            # Under another name first: half of a copy is never taken for a whole one.
            half = self._ours / "half" / target.name
            _remove(half)
            shutil.copytree(source, half)
            target.parent.mkdir(exist_ok=True)
            half.rename(target)
        return target.name

    def _see_volume(self, name: str) -> disk.VolumeSighting:
        volume_id = uuid.UUID(name.partition("_")[0])
        boxes = tuple(box.name for box in self._ours.glob(f"attached/{volume_id}/*"))
        return disk.VolumeSighting(volume_id=volume_id, presence="present", ready=True, attachments=boxes)


def _see_snapshot(folder: pathlib.Path) -> disk.SnapshotSighting:
    state, at = disk.SnapshotState.COMPLETED, dt.datetime.fromtimestamp(folder.stat().st_ctime, dt.UTC)
    return disk.SnapshotSighting(snapshot_id=uuid.UUID(folder.name), presence="present", state=state, completed_at=at)


def _remove(folder: pathlib.Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


class ExampleIdentity(IdentityProvider):
    Settings = ExampleSettings

    def __init__(self, settings: ExampleSettings, context: Context) -> None:
        self._word = settings.word.encode()

    def get_caller_identity(self, challenge: user.Challenge) -> user.Credentials:
        return user.Credentials(provider="example", fields={"proof": self._proof(challenge)})

    def verify_credentials(self, credentials: user.Credentials, challenge: user.Challenge) -> user.Identity:
        proof = credentials.fields.get("proof", "").encode()
        if not self._word or not hmac.compare_digest(proof, self._proof(challenge).encode()):
            raise NotSignedIn
        return user.Identity(subject="whoever knows the word")

    def _proof(self, challenge: user.Challenge) -> str:
        return hmac.digest(self._word, f"{challenge.nonce}\0{challenge.audience}".encode(), "sha256").hex()
