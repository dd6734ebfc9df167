"""A backend whose boxes are files in one folder, so that any number of processes share it, as they would share a cluster.

Each slot of each node is a file that a box makes when it is launched and that must not be there: what the database says
of who holds what is checked against a witness that has never heard of the database.
"""

from __future__ import annotations

import json
import os
import pathlib
import uuid

import attrs

from gpudev_sdk.domain.gpu import GpuType, Node, Slot
from gpudev_sdk.domain.server import Claim, Phase, Presence, ServerId, Sighting, digest_files
from gpudev_sdk.errors import Conflict
from gpudev_sdk.providers import Compute

GPUS = 8
H100 = GpuType(name="h100", gpus_per_node=GPUS, cpus=64, memory_bytes=2**40)


@attrs.frozen
class Place:
    """Where the boxes are, and how many nodes there are."""

    folder: pathlib.Path
    nodes: int

    def prepare(self) -> None:
        """Make the folders."""
        for name in ("boxes", "tombstones", "slots", "doubles"):
            (self.folder / name).mkdir()

    def doubles(self) -> list[str]:
        """Return each slot that two boxes had at the same time."""
        return sorted(path.name for path in (self.folder / "doubles").iterdir())

    def boxes(self) -> list[str]:
        """Return the boxes that are there."""
        return sorted(path.name for path in (self.folder / "boxes").glob("gd-*"))


class FolderCompute(Compute):
    """Boxes that are ready at once and gone at once."""

    Settings = Place

    def __init__(self, settings, context=None):
        self.place = settings
        self._nodes = tuple(
            Node(name=f"n{number}", slots=tuple(Slot(gpu_type="h100", index=index) for index in range(GPUS)))
            for number in range(settings.nodes)
        )

    def _path(self, kind, name):
        return self.place.folder / kind / str(name)

    def gpu_types(self):
        return (H100,)

    def get_availability_zones(self):
        return ("here",)

    def nodes(self):
        return self._nodes

    def launch(self, spec):
        box = self._path("boxes", spec.server_id)
        if self._path("tombstones", spec.server_id).exists() or box.exists():
            return
        names = [f"{spec.node}-{index}" for index in spec.slots]
        for name in names:
            try:
                self._path("slots", name).open("x").close()
            except FileExistsError:
                self._path("doubles", f"{name} {spec.server_id}").touch()
        self._write(box, {"slots": names, "digest": digest_files(spec.files)})

    def _write(self, path, plain):
        fresh = path.with_name(f".{path.name}-{os.getpid()}")
        fresh.write_text(json.dumps(plain))
        fresh.replace(path)

    def _read(self, server_id):
        try:
            return json.loads(self._path("boxes", server_id).read_text())
        except FileNotFoundError:
            return None

    def observe(self, server_id):
        box = self._read(server_id)
        if box is None:
            return Sighting.absent("not there")
        return Sighting(presence=Presence.PRESENT, phase=Phase.READY, endpoint="unix:/box", files_digest=box["digest"])

    def configure(self, server_id, files):
        box = self._read(server_id)
        if box is not None:
            self._write(self._path("boxes", server_id), box | {"digest": digest_files(files)})

    def terminate(self, server_id):
        self._path("tombstones", server_id).touch()
        box = self._read(server_id)
        if box is not None:
            for name in box["slots"]:
                self._path("slots", name).unlink(missing_ok=True)
            self._path("boxes", server_id).unlink(missing_ok=True)

    def list_servers(self):
        return tuple(ServerId.parse(name) for name in self.place.boxes())

    def read_claim(self):
        try:
            plain = json.loads(self._path("", "claim").read_text())
        except FileNotFoundError:
            return None
        ids = {name: uuid.UUID(plain[name]) for name in ("install_id", "control_plane_id")}
        return Claim(**ids, epoch=plain["epoch"])

    def write_claim(self, new, expected):
        if self.read_claim() != expected:
            raise Conflict("the claim is another's")
        ids = {name: str(getattr(new, name)) for name in ("install_id", "control_plane_id")}
        self._write(self._path("", "claim"), ids | {"epoch": new.epoch})
