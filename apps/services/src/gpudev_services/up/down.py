"""`gpudev down`: ends the `up` of a folder. Boxes go on; it refuses while others have some."""

from __future__ import annotations

import json
import os
import select
import signal

from gpudev_sdk.client.api import Api
from gpudev_sdk.client.transport import LocalTransport
from gpudev_sdk.errors import Conflict, NotFound, Refused, TimedOut, Unavailable
from gpudev_sdk.store.embedded import Embedded
from gpudev_sdk.wire.views import AvailabilityView
from gpudev_services.up.folder import DataFolder
from gpudev_services.up.processes import start_time

#: Ending takes the workers' last step and the database's checkpoint.
LONGEST = 60.0
#: For the question whose boxes live.
PATIENCE = 10.0


def running(folder: DataFolder) -> int | None:
    """Return the pid of the `up` of a folder; a pid that was reused since is none."""
    if not folder.process_file.exists():
        return None
    about = json.loads(folder.process_file.read_text(encoding="utf-8"))
    return about["pid"] if start_time(about["pid"]) == about["started"] else None


def boxes_of_others(folder: DataFolder) -> list[str]:
    """Return whose boxes live here beside the operator's own."""
    api = Api(LocalTransport(folder.socket_path()), lambda: None, PATIENCE)
    view = api.get("/availability", AvailabilityView)
    return sorted({use.owner for use in view.uses if not use.mine})


def down(folder: DataFolder, *, force: bool) -> None:
    """End it and return when it is gone. Raises NotFound, Refused, TimedOut."""
    pid = running(folder)
    if pid is None:
        _end_left_over(folder)
        raise NotFound(f"gpudev is not up in {folder.root}", hint="Start it: gpudev up.")
    if not force:
        _refuse_for_others(folder)
    handle = os.pidfd_open(pid)
    try:
        if running(folder) != pid:
            return
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], LONGEST)[0]:
            raise TimedOut("gpudev did not end in a minute", hint=f"Look at {folder.log}.")
    finally:
        os.close(handle)


def _refuse_for_others(folder: DataFolder) -> None:
    try:
        others = boxes_of_others(folder)
    except Unavailable as error:
        raise Conflict(
            "gpudev runs and does not answer, so it cannot be told whose boxes live",
            hint="End it all the same with --force; boxes go on and are found again.",
        ) from error
    if others:
        raise Refused(
            f"boxes of {', '.join(others)} live here; nobody could reach them while gpudev is down",
            hint="Wait for their end, or use --force: boxes go on and are found again.",
        )


def _end_left_over(folder: DataFolder) -> None:
    """End a database that a killed `up` left behind."""
    if (folder.database / "initialised").exists():
        Embedded(folder.database).end_left_over()
