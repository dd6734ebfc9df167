"""The supervisor of a box without walls: it adopts whatever the box leaves behind, and ends it with the box."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from gpudev_sdk.local.identity import identify
from gpudev_sdk.local.inside.descent import descendants
from gpudev_sdk.local.supervisor import GATE, Watch, wait_for

_SET_SUBREAPER = 36


def main() -> None:
    """Run the box that argv describes, as `supervisor` does."""
    watch = Watch.begin(sys.argv[1:])
    ctypes.CDLL(None).prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    gate, opener = os.pipe()
    child = watch.start({GATE: gate})
    os.close(gate)
    init = identify(child, watch.boot)
    if init is None:
        watch.note_end(f"it could not be started ({wait_for(child)})")
        return
    watch.open_gate(opener, init)
    how = wait_for(child)
    _end_orphans()
    watch.note_end(how)


def _end_orphans() -> None:
    """Kill what came from the box until nothing is left: what one of them leaves behind comes to us in its turn."""
    while True:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
