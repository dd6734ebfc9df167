"""What the host must have from Debian: network plugins of pods, tools of the kubelet, and a compiler's headers."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable

#: A package, and a file that tells whether it is there.
NEEDED = {
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "/usr/sbin/iptables",
    "conntrack": "/usr/sbin/conntrack",
    "ethtool": "/usr/sbin/ethtool",
    "socat": "/usr/bin/socat",
    "ipset": "/usr/sbin/ipset",
    "iproute2": "/usr/bin/ip",
    "util-linux": "/usr/bin/mount",
    "gcc": "/usr/bin/gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "libseccomp-dev": "/usr/include/seccomp.h",
    "pkg-config": "/usr/bin/pkg-config",
}


class Lacking(Exception):
    """The host lacks packages, or we lack rights; the message says what to do."""


def lacking() -> list[str]:
    """Return the packages that are not there."""
    return [package for package, file in NEEDED.items() if not pathlib.Path(file).exists()]


def require_root() -> None:
    """Raise when we may not do what a node does: mount, and change the network."""
    if os.geteuid():
        raise Lacking("the test cluster is a node of this machine: run it as root")


def ensure(say: Callable[[str], None]) -> None:
    """Install what lacks, as root on Debian; else say what a person has to install."""
    names = lacking()
    if not names:
        return
    wanted = " ".join(names)
    if os.geteuid() or not shutil.which("apt-get"):
        raise Lacking(f"the test cluster needs {wanted}: as root, run apt-get install {wanted}")
    say(f"installing {wanted}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = ["apt-get", "update", "-qq"]
    install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *names]
    # The lists of a fresh machine are old or empty; where they are fresh this costs a few seconds, once.
    for command in (update, install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Lacking(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
