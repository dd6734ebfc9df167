"""Markers: what shows that a folder is the disk we made, and not an empty mount point or another install's."""

from __future__ import annotations

import json
import pathlib
import uuid

import attrs

from gpudev_sdk.errors import TryLater, Unworkable
from gpudev_sdk.local.durable import write_whole

NAME = "marker.json"
#: The marker of the folder that holds all disks.
FOLDER = "disks.json"


@attrs.frozen
class Marker:
    """Whose a volume or snapshot is."""

    install_id: uuid.UUID
    disk_id: uuid.UUID
    volume_id: uuid.UUID


def write(root: pathlib.Path, install_id: uuid.UUID, disk_id: uuid.UUID, volume_id: uuid.UUID) -> None:
    """Mark a volume root."""
    plain = {"install_id": str(install_id), "disk_id": str(disk_id), "volume_id": str(volume_id)}
    write_whole(root / NAME, json.dumps(plain).encode())


def find(root: pathlib.Path) -> Marker | None:
    """Return the marker, or None where there is none; raise TryLater when it cannot be read."""
    try:
        plain = json.loads((root / NAME).read_bytes())
        return Marker(*(uuid.UUID(plain[field]) for field in ("install_id", "disk_id", "volume_id")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise TryLater(f"the marker of {root} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unworkable(
            f"the marker of {root} is damaged", hint="Look at that folder; nothing in it is touched."
        ) from error


def check(root: pathlib.Path, install_id: uuid.UUID, disk_id: uuid.UUID) -> Marker:
    """Return the marker if the volume is ours and of this disk; raise Unworkable otherwise."""
    marker = find(root)
    if marker is None:
        raise Unworkable(
            f"the disk at {root} has no marker: it was emptied, or its filesystem is not mounted",
            hint="Mount it or put its content back, then try again; nothing is made anew in its place.",
        )
    if marker.install_id != install_id or marker.disk_id != disk_id:
        raise Unworkable(
            f"the disk at {root} is another's",
            hint="Point `disks` in the configuration at this install's own folder.",
        )
    return marker
