"""Mounts below the cluster's folder: those of containers, pods and disks."""

from __future__ import annotations

import pathlib
import subprocess


def below(folder: pathlib.Path) -> list[str]:
    """Return what is mounted below a folder, the innermost and latest first."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    # The kernel writes a space and its like as \040.
    places = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [place for place in reversed(places) if place.startswith(f"{folder}/")]


def unmount(folder: pathlib.Path) -> None:
    """Unmount everything below a folder; what is still in use goes when its last user does."""
    for place in below(folder):
        subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)
