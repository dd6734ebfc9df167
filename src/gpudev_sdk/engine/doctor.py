"""Looks for what is not as it should be, in the tables and between the tables and the world. Read-only; repairs nothing."""

from __future__ import annotations

import attrs

from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.engine.orphans import find_strays
from gpudev_sdk.errors import ProviderError
from gpudev_sdk.store.rows import Conn
from gpudev_sdk.store.sql import queries
from gpudev_sdk.wire.admin_views import DoctorView, FindingView

Q = queries("doctor")


@attrs.frozen(kw_only=True)
class Law:
    """One check: a query whose rows are violations, and what to do about them."""

    number: str
    query: str
    next_step: str


LAWS = (
    Law(
        number="I-1", query="wrong_slots", next_step="Stop gpudev and report this: slots are held by the wrong number."
    ),
    Law(
        number="I-3",
        query="overdue",
        next_step="Look at its history: gpudev show; the log says what stands in the way.",
    ),
    Law(number="I-4", query="broken_history", next_step="Stop gpudev and report this: a change left no trace."),
    Law(number="I-5", query="writers", next_step="Stop gpudev and report this: a disk has two writers."),
    Law(
        number="I-6", query="unsafe_deletes", next_step="Stop gpudev and report this: a volume goes without a snapshot."
    ),
    Law(number="I-16", query="leftover_secrets", next_step="Report this: secret values outlived their reservation."),
    Law(number="attention", query="attention", next_step="See what is said there, and repair the cause."),
    Law(number="paused", query="paused", next_step="Look at the differences: gpudev admin adopt BACKEND."),
    Law(
        number="seen",
        query="unseen",
        next_step="See that the backend can be reached; nothing new starts there meanwhile.",
    ),
)


def examine(engine: Engine) -> DoctorView:
    """Check every law once."""
    with engine.store.transaction() as conn:
        row = conn.execute("SELECT gpudev_now() AS now").fetchone()
        findings = [finding for law in LAWS for finding in _check(conn, law)]
    for backend in engine.backends.values():
        findings += _world(engine, backend)
    assert row is not None  # a SELECT without FROM
    return DoctorView(as_of=row["now"], findings=findings)


def _check(conn: Conn, law: Law) -> list[FindingView]:
    found = conn.execute(Q[law.query]).fetchall()
    return [FindingView(law=law.number, what=row["what"], next_step=law.next_step) for row in found]


def _world(engine: Engine, backend: Backend) -> list[FindingView]:
    try:
        seen = backend.compute.list_servers()
        with engine.store.transaction() as conn:
            strays = find_strays(conn, seen)
            known = {row["id"] for row in conn.execute("SELECT id FROM volume UNION ALL SELECT id FROM snapshot")}
        stored = [found.volume_id for found in backend.storage.list_volumes()]
        stored += [found.snapshot_id for found in backend.storage.list_snapshots()]
    except ProviderError as error:
        return [
            FindingView(law="seen", what=f"{backend.name}: {error.message}", next_step="See that it can be reached.")
        ]
    findings = [
        FindingView(
            law="I-8", what=f"{backend.name}: {server} runs and should not", next_step="The next sweep stops it."
        )
        for server in strays.over
    ]
    findings += [
        FindingView(
            law="I-8",
            what=f"{backend.name}: {server} runs and no reservation knows it",
            next_step="Find out whose it is; gpudev never stops it by itself.",
        )
        for server in strays.unknown
    ]
    return findings + [
        FindingView(
            law="I-8",
            what=f"{backend.name}: {thing} is stored and no disk knows it",
            next_step="Find out whose it is; gpudev never removes it by itself.",
        )
        for thing in stored
        if thing not in known
    ]
