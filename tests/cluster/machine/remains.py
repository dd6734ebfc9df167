"""What a cluster leaves behind when it is killed: found by what is its own alone, and taken away."""

from __future__ import annotations

import shutil

from tests.cluster.machine import cgroups, host, mounts, network
from tests.cluster.machine.layout import Layout


class StillMounted(Exception):
    """Something below the folder is mounted though it was unmounted."""


def clear(layout: Layout) -> None:
    """Take away everything of a cluster that was here, its processes first. Nothing of others is touched."""
    cgroups.kill_all(layout.cgroup)
    mounts.unmount(layout.folder)
    cgroups.remove(layout.cgroup)
    # Without the folder, rules and places of that kind are another's.
    if layout.folder.exists():
        network.remove(layout)
        host.restore(layout)
        _remove_folder(layout)


def _remove_folder(layout: Layout) -> None:
    still = mounts.below(layout.folder)
    if still:
        # To remove would then be to delete what is mounted there.
        raise StillMounted(f"{still} cannot be unmounted")
    shutil.rmtree(layout.folder)


def leftovers(layout: Layout) -> list[str]:
    """Return what of a cluster is still here, for people to read; nothing once it is down."""
    return [
        *(f"process {pid}" for pid in cgroups.members(layout.cgroup)),
        *(f"cgroup {folder}" for folder in cgroups.left(layout.cgroup)),
        *(f"mount {place}" for place in mounts.below(layout.folder)),
        *(f"device {name}" for name in network.devices(layout)),
        *([f"address {layout.address}"] if network.has_address(layout) else []),
        *(f"chain {name}" for name in network.chains()),
        *(f"link {path}" for path in host.changed(layout)),
        *([f"folder {layout.folder}"] if layout.folder.exists() else []),
    ]
