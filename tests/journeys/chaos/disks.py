"""People who write numbered, synced lines to a disk until their box is ended, and look for each of them in the next box."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time

from gpudev_sdk.client.access import ensure_way
from gpudev_sdk.client.shell import ssh
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import Conflict
from gpudev_sdk.local import identity
from gpudev_sdk.local.boxes import INIT
from tests.journeys.chaos.people import Person

#: A line is acknowledged only once it is synced: `sync FILE` is fsync.
WRITER = "n=0; while :; do n=$((n+1)); echo {life}-$n >> ~/markers && sync ~/markers && echo {life}-$n || exit; sleep 0.1; done"
SHORTEN = """
UPDATE reservation SET granted = gpudev_now() - started_at, expires_at = gpudev_now(), wake_at = gpudev_now()
WHERE id = %s AND state = 'active'
"""
ENDS = ("cancel", "cancel", "cancel", "expire", "expire", "vanish")


class DiskPerson(Person):
    """Has one disk. Every line that the writing command reported must be in the disk for ever."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.disk = f"disk-{self.name}"
        self.acknowledged: list[str] = []
        self._life = 0

    def live(self) -> None:
        """One cycle: reserve, look for all that was written before, write until the box is ended."""
        row = self._looked_through()
        if row is None:
            return
        self._life += 1
        with self._writing(row) as told:
            time.sleep(0.5 + self.rng.random() * 2)
            if told:
                self._end(row)
        self.cancel(row)
        row = self.reached(row, "ended")
        if self.rng.random() < 0.4:
            self._restore_newest(row)

    def _looked_through(self) -> Reservation | None:
        """Reserve the disk and compare its content; None if the box did not live long enough."""
        row = self.reached(self.reserve("cpu", 0, self.disk, self.name), "active")
        text = self.execute(row, "cat ~/markers 2>/dev/null; true") if row.state == "active" else None
        if text is None:
            self.cancel(row)
            self.reached(row, "ended")
            return None
        if self.acknowledged:
            lost = sorted(set(self.acknowledged) - set(text.split()))
            self.tally.lost_markers += [f"{self.disk}: {marker}" for marker in lost]
            self.tally.count("disk cycles")
        return row

    def last_look(self) -> None:
        """Look once more when all is calm."""
        while (row := self._looked_through()) is None:
            pass
        self.cancel(row)
        self.reached(row, "ended")

    @contextlib.contextmanager
    def _writing(self, row: Reservation):
        """Write in the box until it is gone or the block is over; gives the list of what was acknowledged."""
        told: list[str] = []
        try:
            way = self.insist(lambda: ensure_way(self.client, self.client.show(str(row.id))))
        except Conflict:
            yield told
            return
        options = ("-T", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none")
        line = ssh(way, *options, command=WRITER.format(life=self._life))
        writer = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        reader = threading.Thread(target=_take_down, args=(writer.stdout, told), daemon=True)
        reader.start()
        try:
            yield told
            # To the last line: the box is being ended under the writing hand.
            reader.join(15)
        finally:
            writer.kill()
            writer.wait()
            reader.join(15)
            writer.stdout.close()
            self.acknowledged += told
            self.tally.count("markers", len(told))

    def _end(self, row: Reservation) -> None:
        how = self.rng.choice(ENDS)
        if how == "expire":
            self._expire(row)
        elif how == "vanish":
            self._kill_box(row)
        else:
            self.cancel(row)
        self.tally.count(f"ended by {how}")

    def _expire(self, row: Reservation) -> None:
        """Have it been granted only the time until now, and wait for the end that follows."""
        self.ledger.note("shortened", id=str(row.id))
        self.rig.sql(SHORTEN, (row.id,))
        self.rig.ring()
        self.reached(row, "ended")

    def _kill_box(self, row: Reservation) -> None:
        """Kill -9 the init of the box, and with it everything in there."""
        for process in self.rig.boxes(INIT, str(row.id)):
            identity.send(process, identity.boot_id(), signal.SIGKILL)
        self.reached(row, "ended")

    def _restore_newest(self, row: Reservation) -> None:
        """Have the disk be its newest snapshot, if that is of the end of `row`: it has all that was written."""
        taken = self.rig.sql(
            "SELECT end_snapshot_id FROM reservation WHERE id = %s AND snapshot_skipped IS NULL", (row.id,)
        )
        snapshots = self.insist(lambda: self.client.disks.snapshots(self.disk))
        if not taken or not snapshots or snapshots[0].id != taken[0][0] or snapshots[0].state != "completed":
            self.tally.count("ends without a snapshot")
            return
        self.insist(lambda: self.client.disks.restore(self.disk, str(snapshots[0].id)))
        self.tally.count("restores")


def _take_down(stream, told: list[str]) -> None:
    """Note every complete line; one that was torn was not acknowledged."""
    for line in stream:
        if line.endswith("\n"):
            told.append(line.strip())
