"""Carries out the steps that `decide` names: each one effect, asked for idempotently, then recorded with compare-and-set.

Intent is written before an effect whose answer may be lost; what is recorded after it is what was seen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from gpudev_sdk import fault
from gpudev_sdk.domain.disk import SnapshotSpec, SnapshotState
from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.domain.server import Phase
from gpudev_sdk.engine import moves, volumes
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.launching import server_spec
from gpudev_sdk.engine.look import Look, volume_ref
from gpudev_sdk.engine.steps import (
    Attend,
    BeginSnapshot,
    Configure,
    Credit,
    EnsureVolume,
    Launch,
    Leave,
    MarkDetached,
    MarkGone,
    Move,
    NoteDown,
    NoteEndpoint,
    NoteShown,
    NoteSnapshot,
    ReleaseDisk,
    SkipSnapshot,
    Step,
    Terminate,
    Warn,
)
from gpudev_sdk.errors import ProviderError, SnapshotsOff
from gpudev_sdk.store import bell, disks, fleet, ids
from gpudev_sdk.store.reservations import NOW, Entry, Q, record

log = structlog.get_logger()

S = TypeVar("S", bound=Step)
AT_ONCE = dt.timedelta()
SOON = dt.timedelta(milliseconds=50)


class Acts:
    """One processor's hands."""

    def __init__(self, engine: Engine, claims: Claims, actor: str) -> None:
        self.engine = engine
        self.claims = claims
        self.actor = actor
        self._by_step: dict[type[Step], Callable[[Look, Any], dt.timedelta]] = {
            Move: self._move,
            EnsureVolume: self._ensure_volume,
            Launch: self._launch,
            Configure: self._configure,
            Warn: self._warn,
            Credit: self._credit,
            NoteDown: self._note_down,
            NoteEndpoint: self._note_endpoint,
            NoteShown: self._note_shown,
            Leave: self._leave,
            Terminate: self._terminate,
            MarkGone: self._mark_gone,
            MarkDetached: self._mark_detached,
            BeginSnapshot: self._begin_snapshot,
            NoteSnapshot: self._note_snapshot,
            SkipSnapshot: self._skip_snapshot,
            ReleaseDisk: self._release_disk,
            Attend: self._attend,
        }

    def act(self, look: Look, step: Step) -> dt.timedelta:
        """Do `step`; return how long to leave the world to itself before the next look."""
        return self._by_step[type(step)](look, step)

    def _record(self, look: Look, changes: dict[str, object], what: str, detail: str = "") -> None:
        with self.engine.store.transaction(f"record-{what}") as conn:
            record(conn, look.row, changes, Entry(what=what, actor=self.actor, detail=detail))
            bell.ring(conn, "reservation", look.row.id)

    def _move(self, look: Look, step: Move) -> dt.timedelta:
        with self.engine.store.transaction(f"record-to-{step.to}") as conn:
            moves.move(conn, self.engine, look, step, self.actor)
        return AT_ONCE

    def _ensure_volume(self, look: Look, step: EnsureVolume) -> dt.timedelta:
        self.claims.before_effect(look.row.backend)
        return volumes.ensure(self.engine, look, self.actor)

    def _launch(self, look: Look, step: Launch) -> dt.timedelta:
        row = look.row
        self.claims.before_effect(row.backend)
        if row.launch_intended_at is None:
            self._record(look, {"launch_intended_at": NOW}, "launch")
            return AT_ONCE
        with self.engine.store.transaction() as conn:
            kind = fleet.gpu_type(conn, row.backend, row.request.gpu_type)
        backend = self.engine.backend(row.backend)
        with fault.step("launch"):
            backend.compute.launch(server_spec(backend, look, kind))
        return SOON

    def _configure(self, look: Look, step: Configure) -> dt.timedelta:
        self.claims.before_effect(look.row.backend)
        with fault.step("configure"):
            self.engine.backend(look.row.backend).compute.configure(look.row.server_id, look.files)
        return SOON

    def _warn(self, look: Look, step: Warn) -> dt.timedelta:
        row = look.row
        seconds = int(step.threshold.total_seconds())
        changes: dict[str, object] = {}
        with self.engine.store.transaction("record-warning") as conn:
            # Read here, not at the look: the grace begins when the notice is recorded, and not a moment before.
            served = conn.execute(Q["served"], {"backend": row.backend}).fetchone()
            assert served is not None  # inserted by the migration
            if not seconds:
                changes = {
                    "ending_notice_served": served["by_now"],
                    "ending_notice_gaps": served["gaps"],
                    "ending_notice_shown": False,
                }
            conn.execute(
                Q["add_warning"],
                {
                    "id": row.id,
                    "threshold": seconds,
                    "expires_at": row.expires_at,
                    "gaps": 0 if seconds else served["gaps"],
                },
            )
            record(
                conn,
                row,
                changes or {"detail": row.detail},
                Entry(what="warning", actor=self.actor, detail=f"{seconds // 60} min before the end"),
            )
            bell.ring(conn, "reservation", row.id)
        return AT_ONCE

    def _credit(self, look: Look, step: Credit) -> dt.timedelta:
        row = look.row
        assert row.started_at is not None  # active rows have it
        granted = row.granted + step.lost
        changes = {
            "granted": granted,
            "expires_at": row.started_at + granted,
            "down_since": None,
            "ending_notice_served": None,
            "ending_notice_gaps": None,
        }
        self._record(look, changes, "credit", f"{int(step.lost.total_seconds())} s given back")
        return AT_ONCE

    def _note_down(self, look: Look, step: NoteDown) -> dt.timedelta:
        since = min(look.world.served.updated_at, look.world.now)
        self._record(look, {"down_since": since, "endpoint": None}, "machine-restarted")
        return AT_ONCE

    def _note_endpoint(self, look: Look, step: NoteEndpoint) -> dt.timedelta:
        self._record(look, {"endpoint": step.endpoint}, "endpoint")
        return AT_ONCE

    def _note_shown(self, look: Look, step: NoteShown) -> dt.timedelta:
        with self.engine.store.transaction("record-notice-shown") as conn:
            served = conn.execute(Q["served"], {"backend": look.row.backend}).fetchone()
            assert served is not None  # inserted by the migration
            changes = {"ending_notice_shown": True, "ending_notice_served": served["by_now"]}
            record(conn, look.row, changes, Entry(what="notice-shown", actor=self.actor))
        return AT_ONCE

    def _leave(self, look: Look, step: Leave) -> dt.timedelta:
        seen = look.world.sighting
        if seen is not None and seen.phase is Phase.READY and seen.files_digest != look.world.wanted_files:
            try:
                self._configure(look, Configure())
            except ProviderError as error:
                log.warning("nobody in the box could be told", reservation=str(look.row.id), reason=error.message)
        return self._move(look, Move(State.STOPPING, EndReason.PREEMPTED, step.why))

    def _terminate(self, look: Look, step: Terminate) -> dt.timedelta:
        row = look.row
        self.claims.before_effect(row.backend)
        with fault.step("terminate"):
            self.engine.backend(row.backend).compute.terminate(row.server_id)
        if row.tombstoned_at is None:
            self._record(look, {"tombstoned_at": NOW}, "terminate")
            return AT_ONCE
        return step.patience

    def _mark_gone(self, look: Look, step: MarkGone) -> dt.timedelta:
        with self.engine.store.transaction("record-gone") as conn:
            record(conn, look.row, {"gone_at": NOW, "endpoint": None}, Entry(what="gone", actor=self.actor))
            conn.execute(fleet.Q["free_slots_of"], {"id": look.row.id})
            bell.want_plan(conn)
            bell.ring(conn, "access")
        return AT_ONCE

    def _mark_detached(self, look: Look, step: MarkDetached) -> dt.timedelta:
        with self.engine.store.transaction("record-detached") as conn:
            record(conn, look.row, {"detached_at": NOW}, Entry(what="detached", actor=self.actor))
            conn.execute(disks.Q["volume_detached"], {"id": look.row.volume_id})
            # Its place on the node is free, where there are only so many.
            bell.want_plan(conn)
        return AT_ONCE

    def _begin_snapshot(self, look: Look, step: BeginSnapshot) -> dt.timedelta:
        row, volume = look.row, look.volume
        assert volume is not None  # decide asks for it only with a volume
        self.claims.before_effect(row.backend)
        known = look.world.snapshot
        if known is None or known.state is SnapshotState.ERROR:
            with self.engine.store.transaction("record-snapshot-intended") as conn:
                snapshot_id = ids.new()
                fields = {"id": snapshot_id, "disk_id": row.disk_id, "volume_id": volume["id"], "backend": row.backend}
                conn.execute(disks.Q["insert_snapshot"], fields | {"reason": "end"})
                record(conn, row, {"end_snapshot_id": snapshot_id}, Entry(what="snapshot-intended", actor=self.actor))
            return AT_ONCE
        spec = SnapshotSpec(snapshot_id=known.snapshot_id, volume=volume_ref(volume), owner_number=row.owner_number)
        try:
            with fault.step("snapshot"):
                handle = self.engine.backend(row.backend).storage.create_snapshot(spec)
        except SnapshotsOff as off:
            return self._no_snapshot(look, off.message, attend=False)
        with self.engine.store.transaction("record-snapshot-asked") as conn:
            disks.note_snapshot(conn, known.snapshot_id, "pending", handle=handle)
        return SOON

    def _note_snapshot(self, look: Look, step: NoteSnapshot) -> dt.timedelta:
        known = look.world.snapshot
        assert known is not None and known.sighting is not None and known.sighting.state is not None  # as decide saw
        seen = known.sighting
        with self.engine.store.transaction("record-snapshot") as conn:
            disks.note_snapshot(
                conn,
                known.snapshot_id,
                str(seen.state),
                handle=seen.handle,
                size_bytes=seen.size_bytes,
                trouble=seen.reason or None,
            )
            entry = Entry(what="snapshot", actor=self.actor, detail=f"{seen.state}: {seen.reason}".rstrip(": "))
            record(conn, look.row, {"detail": look.row.detail}, entry)
        return AT_ONCE if seen.state is SnapshotState.COMPLETED else dt.timedelta(seconds=1)

    def _skip_snapshot(self, look: Look, step: SkipSnapshot) -> dt.timedelta:
        return self._no_snapshot(look, step.why, attend=step.attend)

    def _no_snapshot(self, look: Look, why: str, *, attend: bool) -> dt.timedelta:
        known = look.world.snapshot
        with self.engine.store.transaction("record-no-snapshot") as conn:
            if known is not None:
                disks.note_snapshot(conn, known.snapshot_id, "error", trouble=why)
            if attend:
                conn.execute(disks.Q["attend_disk"], {"id": look.row.disk_id, "why": why})
            record(conn, look.row, {"snapshot_skipped": why}, Entry(what="no-snapshot", actor=self.actor, detail=why))
        return AT_ONCE

    def _release_disk(self, look: Look, step: ReleaseDisk) -> dt.timedelta:
        row, seen = look.row, look.world.volume
        used = None if seen is None else seen.used_bytes
        with self.engine.store.transaction("record-disk-released") as conn:
            record(conn, row, {"disk_released_at": NOW}, Entry(what="disk-released", actor=self.actor))
            conn.execute(disks.Q["release_disk"], {"disk_id": row.disk_id, "reservation_id": row.id})
            conn.execute(disks.Q["use_disk"], {"id": row.disk_id, "used_bytes": used, "needs_attention": None})
            bell.want_plan(conn)
            if row.disk_id is not None:
                bell.ring_work(conn, "disk", row.disk_id)
        return AT_ONCE

    def _attend(self, look: Look, step: Attend) -> dt.timedelta:
        self._record(look, {"needs_attention": step.why}, "needs-attention", step.why)
        return AT_ONCE
