"""The processor: takes a row that wants something, looks, decides, acts, records; any number of processes may run it.

A message or the sweep only says which row; what is done follows from the row and the world. The lease keeps two processors
from one row, and its epoch makes what a paused one would still write a write of zero rows.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import structlog

from gpudev_sdk import clock
from gpudev_sdk.domain.reservation import EndReason, Reservation, State
from gpudev_sdk.engine.acts import Acts
from gpudev_sdk.engine.alarm import Alarm
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.decide import decide
from gpudev_sdk.engine.disk_work import DiskWork
from gpudev_sdk.engine.look import Look, look
from gpudev_sdk.engine.steps import Move, Rest, Step
from gpudev_sdk.errors import GpudevError, NoCapacity, Paused, TryLater, Unavailable, Unworkable
from gpudev_sdk.store import bell, disks, pgmq
from gpudev_sdk.store.reservations import Q, Stale

#: What a killed worker held is taken up again after this.
LEASE = dt.timedelta(seconds=20)
#: A message not archived in this time is seen again.
VISIBILITY = 30
TROUBLE_DELAY = dt.timedelta(seconds=5)
LONGEST_TROUBLE_DELAY = dt.timedelta(minutes=5)
SWEEP = 15.0
#: A row rests after fewer steps than this; one that does not is a mistake of ours, and must not keep its worker from all others.
MOST_STEPS = 100

log = structlog.get_logger()


class Processor:
    """One worker. `run` goes on until `stop` is set."""

    def __init__(self, engine: Engine, claims: Claims, alarm: Alarm, name: str) -> None:
        self.engine = engine
        self.alarm = alarm
        self.name = name
        self.acts = Acts(engine, claims, name)
        self.disk_work = DiskWork(engine, claims, name)
        self._troubles: dict[uuid.UUID, int] = {}
        #: When it is to have come round again.
        self._due = clock.monotonic()

    @property
    def late(self) -> float:
        """By how many seconds it is late to come to the end of a turn."""
        return max(0.0, clock.monotonic() - self._due)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; an unexpected error is logged, and the row is tried again later."""
        rung = True
        while not stop.is_set():
            try:
                busy = self.work_once() if rung else self.sweep()
                self._due = clock.monotonic() + SWEEP
            except Unavailable as error:
                log.warning("database unavailable", worker=self.name, reason=error.message)
                stop.wait(1.0)
                continue
            rung = busy or self.alarm.wait(stop, SWEEP)

    def work_once(self) -> bool:
        """Handle one message, or the rows whose time has come; return whether there was anything."""
        with self.engine.store.transaction("read-message") as conn:
            messages = pgmq.read(conn, bell.QUEUE, vt=VISIBILITY, qty=1)
        for message in messages:
            ring = bell.parse_message(message.body)
            if ring is None:
                log.error("message that says nothing", worker=self.name, message_id=message.id)
            elif ring.id is not None:
                self.handle(ring.kind, ring.id)
            with self.engine.store.transaction("archive-message") as conn:
                pgmq.archive(conn, bell.QUEUE, message.id)
        return bool(messages) or self.sweep()

    def sweep(self) -> bool:
        """Handle rows whose time has come without a message; set the alarm for the next."""
        with self.engine.store.transaction() as conn:
            coming = conn.execute(Q["coming"]).fetchall()
        due = [row for row in coming if row["delay"] <= dt.timedelta()]
        for row in due:
            self.handle(row["kind"], row["id"])
        if not due and coming:
            self.alarm.set_in(coming[0]["delay"].total_seconds())
        return bool(due)

    def handle(self, kind: str, row_id: uuid.UUID) -> None:
        """Work on one row until it rests. The one boundary at which any error is caught: it is logged and tried again."""
        try:
            self._work_on(kind, row_id)
            self._troubles.pop(row_id, None)
        except Unavailable as error:
            if not isinstance(error, Paused):
                raise
            self._later(kind, row_id, error)
        except Exception as error:  # noqa: BLE001
            self._later(kind, row_id, error)

    def _work_on(self, kind: str, row_id: uuid.UUID) -> None:
        if kind == "disk":
            self.disk_work.work_on(row_id)
            return
        with self.engine.store.transaction("record-lease") as conn:
            lease = conn.execute(Q["take_lease"], {"id": row_id, "holder": self.name, "ttl": LEASE}).fetchone()
        if lease is not None:
            self._until_rest(row_id, lease["lease_epoch"])

    def _until_rest(self, row_id: uuid.UUID, epoch: int) -> None:
        renewed = clock.monotonic()
        for _ in range(MOST_STEPS):
            seen = look(self.engine, row_id, epoch)
            if seen is None:
                return
            if clock.monotonic() - renewed > LEASE.total_seconds() / 3:
                if not self._renew(row_id, epoch):
                    return
                renewed = clock.monotonic()
            step = decide(seen.row, seen.world, self.engine.limits)
            rest = step if isinstance(step, Rest) else self._act(seen, step)
            if rest is not None and self._rest(seen.row, rest, epoch):
                return
        raise RuntimeError(f"reservation {row_id} found no rest in {MOST_STEPS} steps")

    def _act(self, seen: Look, step: Step) -> Rest | None:
        """Carry out a step; return a rest if the world needs time, None to look again at once."""
        try:
            delay = self.acts.act(seen, step)
        except Stale:
            return None
        except NoCapacity as error:
            if seen.row.state is State.STOPPING:
                return Rest(TROUBLE_DELAY, error.message)
            return self._act(seen, Move(State.STOPPING, None, error.message))
        except TryLater as error:
            return Rest(dt.timedelta(seconds=error.delay), error.message)
        except Unworkable as error:
            if seen.row.state is State.STOPPING:
                raise
            return self._act(seen, Move(State.STOPPING, EndReason.FAILED, error.message, failed_attempt=True))
        return Rest(delay) if delay else None

    def _renew(self, row_id: uuid.UUID, epoch: int) -> bool:
        with self.engine.store.transaction("record-lease-renewed") as conn:
            return conn.execute(Q["renew_lease"], {"id": row_id, "epoch": epoch, "ttl": LEASE}).rowcount == 1

    def _rest(self, row: Reservation, step: Rest, epoch: int) -> bool:
        with self.engine.store.transaction("record-rest") as conn:
            fields = {"id": row.id, "epoch": epoch, "generation": row.generation}
            done = conn.execute(Q["rest"], fields | {"delay": step.delay, "detail": step.detail}).rowcount == 1
            if done and step.detail is not None and step.detail != row.detail:
                bell.ring(conn, "reservation", row.id)
        if done:
            self.alarm.set_in(step.delay.total_seconds())
        return done

    def _later(self, kind: str, row_id: uuid.UUID, error: Exception) -> None:
        tries = self._troubles[row_id] = self._troubles.get(row_id, 0) + 1
        known = isinstance(error, GpudevError)
        log.error("row will be tried again", kind=kind, id=str(row_id), worker=self.name, tries=tries, exc_info=not known,
                  reason=str(error) if known else type(error).__name__)  # fmt: skip
        delay = min(LONGEST_TROUBLE_DELAY, TROUBLE_DELAY * 2 ** min(tries - 1, 8))
        detail = error.message if isinstance(error, GpudevError) else "an unexpected error; it is tried again"
        statement = Q["rest_after_trouble"] if kind == "reservation" else disks.Q["rest_disk_after_trouble"]
        with self.engine.store.transaction("record-trouble") as conn:
            conn.execute(statement, {"id": row_id, "holder": self.name, "delay": delay, "detail": detail})
        self.alarm.set_in(delay.total_seconds())
