"""Boxes as pods of a real cluster: starting, ending, files, bytes, crowds, calls. `make bench-cluster`.

The cluster is the one of tests/cluster, brought up here unless it is up. Floors are bare pods of the same manifest, bare ssh to
the same sshd, and bare calls of the API server, in the same run. `cluster.py start bytes` measures only these parts.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
import time

import kube_bytes
import kube_calls
import kube_crowd
import kube_files
import kube_start
import scratch  # noqa: F401  (puts the repository on the path)
from kube_ground import Ground, until
from measure import line

from gpudev_sdk.kube.kinds import SERVICE_ACCOUNT
from tests.cluster import place as places
from tests.cluster.installs import prepare_on

PARTS = {
    "start": lambda ground: kube_start.measure(ground, rounds=11),
    "files": lambda ground: kube_files.measure(ground, rounds=10),
    "bytes": lambda ground: kube_bytes.measure(ground, rounds=7),
    "crowd": kube_crowd.measure,
    "calls": kube_calls.measure,
}


def main() -> None:
    """Print the figures of the named parts, or of all."""
    wanted = sys.argv[1:] or list(PARTS)
    began = time.perf_counter()
    with places.own() as place, tempfile.TemporaryDirectory(prefix="gpudev-b-") as folder:
        line("the cluster: up, or found up", f"{time.perf_counter() - began:.1f} s", "bar 15 s from nothing")
        # A new namespace has its account after a moment, and runs no pod before.
        until(lambda: place.api().find(SERVICE_ACCOUNT, "default"))
        install = prepare_on(place)
        try:
            install.up()
            for part in wanted:
                line(f"-- {part}", "", "load " + " ".join(f"{one:.1f}" for one in os.getloadavg()))
                PARTS[part](Ground(place=place, install=install, folder=pathlib.Path(folder)))
        finally:
            install.close()


if __name__ == "__main__":
    main()
