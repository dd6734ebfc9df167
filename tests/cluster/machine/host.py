"""What the cluster's programs change of the host outside the folder: fixed places of theirs, and the kernel's settings.

`note` writes down how the host was before the first of them runs, and `restore` puts that back.
"""

from __future__ import annotations

import json
import pathlib
import shutil

from tests.cluster.machine.layout import Layout

#: Folders whose place no setting changes. They are removed if they were not there before.
FIXED = (
    "/run/containerd",
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/containers",
    "/var/log/pods",
    "/var/run/nri",
    "/run/netns",
)
#: Of the kubelet, kube-proxy and the bridge plugin.
SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "net/ipv4/vs/conntrack",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
_KERNEL = pathlib.Path("/proc/sys")


def note(layout: Layout) -> None:
    """Write down which of the fixed folders are there, and what the settings are."""
    settings = {name: _read(name) for name in SETTINGS}
    there = [folder for folder in FIXED if pathlib.Path(folder).exists()]
    (layout.folder / "host.json").write_text(json.dumps({"folders": there, "settings": settings}))


def restore(layout: Layout) -> None:
    """Put back what was noted; without a note nothing was changed."""
    note = layout.folder / "host.json"
    if not note.exists():
        return
    before = json.loads(note.read_text())
    for folder in FIXED:
        if folder not in before["folders"]:
            shutil.rmtree(folder, ignore_errors=True)
    for link in _links(layout):
        link.unlink()
    for name, value in before["settings"].items():
        if value is not None and _read(name) != value:
            (_KERNEL / name).write_text(value)


def changed(layout: Layout) -> list[str]:
    """Return what of the host is still the cluster's, as far as one can see without the note."""
    return [str(link) for link in _links(layout)]


def _links(layout: Layout) -> list[pathlib.Path]:
    """Return the kubelet's links to logs of pods in the folder, where the host has such links of its own too."""
    links = [path for path in pathlib.Path("/var/log/containers").glob("*") if path.is_symlink()]
    return [link for link in links if link.readlink().is_relative_to(layout.folder)]


def _read(name: str) -> str | None:
    file = _KERNEL / name
    return file.read_text().strip() if file.exists() else None
