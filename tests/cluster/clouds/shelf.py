"""What is on the disks of a cloud: a folder each, where the node's driver finds them, copied to snapshots and from them."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import attrs


@attrs.frozen
class Shelf:
    """The folder of one driver (`tests/cluster/tools/driver`), whose disks it mounts; snapshots lie beside them."""

    folder: pathlib.Path

    def __attrs_post_init__(self) -> None:
        for each in ("disks", "snapshots", "wishes"):
            (self.folder / each).mkdir(parents=True)

    def make(self, disk: str, snapshot: str = "") -> None:
        """Make a disk, empty or with what a snapshot has."""
        self._put("disks", disk, "snapshots", snapshot)

    def take(self, snapshot: str, disk: str) -> None:
        """Keep what a disk has now."""
        self._put("snapshots", snapshot, "disks", disk)

    def lose_disk(self, disk: str) -> None:
        """Take a disk's content away."""
        shutil.rmtree(self.folder / "disks" / disk)

    def lose_snapshot(self, snapshot: str) -> None:
        """Take a snapshot's content away."""
        shutil.rmtree(self.folder / "snapshots" / snapshot)

    def _put(self, kind: str, name: str, source_kind: str, source: str) -> None:
        """Copy with owners, modes and times. It appears whole, so that a disk is never mounted half filled."""
        part = self.folder / kind / f".{name}"
        part.mkdir()
        if source:
            found = self.folder / source_kind / source / "bytes"
            subprocess.run(["cp", "-a", "--reflink=auto", found, part / "bytes"], check=True, capture_output=True)
        else:
            (part / "bytes").mkdir()
        (part / "record.json").write_text(json.dumps({"name": name, "bytes": 0, "made": "2026-01-01T00:00:00Z"}))
        part.rename(self.folder / kind / name)
