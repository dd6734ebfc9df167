"""`gpudev up --detach`: starts `up` in a session of its own and waits until it answers or says why it does not."""

from __future__ import annotations

import subprocess
import sys

from gpudev_services.up.folder import DataFolder
from gpudev_services.up.place import refuse_emptied

READY = "gpudev is up"


def detach(folder: DataFolder, arguments: list[str]) -> int:
    """Start it; print what it says until it is up; return its exit status, 0 if it is up."""
    refuse_emptied(folder)
    folder.prepare()
    command = [sys.executable, "-m", "gpudev_services", "up", "--data", str(folder.root), *arguments]
    started = subprocess.Popen(
        [*command, "--log-to", str(folder.log)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    return _until_up(started)


def _until_up(started: subprocess.Popen[str]) -> int:
    assert started.stdout is not None  # asked for above
    up = False
    for line in started.stdout:
        sys.stdout.write(line)
        up = up or line.startswith(READY)
    sys.stdout.flush()
    return 0 if up else started.wait()
