"""The doctor over a real database and a backend in memory: quiet when all is well, and plain about what is not."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from gpudev_sdk.domain.disk import VolumeSighting
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine import availability, doctor
from gpudev_sdk.engine.check import (
    LAWS,
    Acknowledged,
    Record,
    World,
    answered,
    check,
    counted,
    read_tables,
)
from gpudev_sdk.errors import TryLater


def found(bench):
    """Return what the doctor finds, as (law, what)."""
    return [(one.law, one.what) for one in doctor.examine(bench.engine).findings]


def tables(bench, world=None, **how):
    with bench.engine.store.transaction() as conn:
        return read_tables(conn, world, **how)


def lives(bench, kim, lee):
    """Bring up, extend, end and queue some reservations; return their ids."""
    made = [
        bench.submit(kim, gpus=2, disk="work", env={"TOKEN": "s3cr3t-canary"}),
        bench.submit(lee, gpus=4, disk="home"),
    ]
    made += [bench.submit(kim, gpus=1, name="third"), bench.submit(lee, gpus=8, name="waits")]
    bench.work(*made)
    bench.cancel(lee, made[1])
    bench.work(*made)
    bench.disk_work(bench.disk(lee, "home")["id"])
    return made


@pytest.fixture
def lived(bench, kim, lee):
    return lives(bench, kim, lee)


def break_by_force(owner_store, *statements):
    """Write what no service could, past every trigger."""
    with owner_store.transaction() as conn:
        for table in ("reservation", "gpu_slot", "disk_lease", "reservation_event"):
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            conn.execute(statement)


def test_an_install_that_lived_breaks_no_law(bench, lived):
    assert [bench.row(one).state for one in lived] == ["active", "ended", "active", "queued"]
    assert found(bench) == []


def test_the_tables_hold_what_is_live_and_what_ended_just_now(bench, lived):
    read = tables(bench)
    assert {row.id for row in read.reservations} == set(lived)
    assert {event.reservation_id for event in read.events} == set(lived)
    assert len(read.leases) == 1
    assert len(read.volumes) == 2
    assert [snapshot.state for snapshot in read.snapshots] == ["completed"]
    assert sum(len(slot.indices) for slot in read.slots if slot.reservation_id == lived[0]) == 2
    assert lived[0] in read.secrets
    assert lived[1] not in read.secrets


def test_secret_values_are_never_read(bench, lived):
    assert "s3cr3t-canary" not in str(tables(bench, whole=True))


def test_what_ended_long_ago_is_read_only_when_it_is_named(bench, lived, owner_store):
    break_by_force(owner_store, "UPDATE reservation_event SET at = at - interval '2 hours'")
    ended = lived[1]
    assert ended not in {row.id for row in tables(bench).reservations}
    world = World(backends=(doctor.see(bench.engine.backends["mem"]),))
    stray = ServerId(ended, 1)
    bench.memory.servers[stray] = bench.memory.servers[ServerId(lived[0], 1)]
    seen = World(backends=(doctor.see(bench.engine.backends["mem"]),))
    assert ended not in {row.id for row in tables(bench, world).reservations}
    assert {row.id: row.told for row in tables(bench, seen).reservations}[ended] is False
    assert {row.id: row.told for row in tables(bench, whole=True).reservations}[ended] is True


def test_a_slot_that_an_ended_row_holds_is_found(bench, lived, owner_store):
    break_by_force(
        owner_store, f"UPDATE gpu_slot SET reservation_id = '{lived[1]}' WHERE idx = 7 AND gpu_type = 'h100'"
    )
    assert [law for law, _ in found(bench)] == ["I-1", "I-19"]


def test_a_change_without_a_trace_is_found(bench, lived, owner_store):
    break_by_force(owner_store, f"UPDATE reservation SET generation = generation + 1 WHERE id = '{lived[3]}'")
    ((law, what),) = found(bench)
    assert law == "I-4"
    assert str(lived[3]) in what


def test_a_lost_lease_is_found(bench, lived, owner_store):
    break_by_force(owner_store, "UPDATE disk_lease SET released_at = gpudev_now() WHERE released_at IS NULL")
    assert {law for law, _ in found(bench)} == {"I-5"}


def test_what_is_overdue_is_found(bench, lived, owner_store):
    break_by_force(
        owner_store,
        f"UPDATE reservation SET state_deadline = gpudev_now() - interval '1 minute' WHERE id = '{lived[3]}'",
    )
    assert [law for law, _ in found(bench)] == ["I-3"]


def test_a_server_of_unknown_owner_is_reported_and_left(bench, lived):
    stranger = ServerId(uuid.uuid4(), 1)
    bench.memory.servers[stranger] = bench.memory.servers[ServerId(lived[0], 1)]
    ((law, what),) = found(bench)
    assert law == "I-8"
    assert str(stranger) in what
    assert stranger in bench.memory.servers


def test_volumes_and_snapshots_of_unknown_owner_are_reported_and_left(bench, lived):
    volume, snapshot = uuid.uuid4(), uuid.uuid4()
    bench.memory.volumes[volume] = "whose?"
    bench.memory.snapshots[snapshot] = "completed"
    whats = [what for law, what in found(bench) if law == "I-8"]
    assert [str(volume) in whats[0], str(snapshot) in whats[1], len(whats)] == [True, True, 2]
    assert volume in bench.memory.volumes
    assert snapshot in bench.memory.snapshots


def test_a_volume_that_vanished_is_found(bench, kim, lived):
    del bench.memory.volumes[bench.disk(kim, "work")["volume_id"]]
    ((law, what),) = found(bench)
    assert law == "I-8"
    assert "not stored any more" in what


def test_a_backend_that_cannot_tell_is_said_and_breaks_no_law(bench, lived, monkeypatch):
    def away():
        raise TryLater("the line is cut")

    backend = bench.engine.backends["mem"]
    for provider, name in ((backend.compute, "list_servers"), (backend.storage, "list_volumes")):
        monkeypatch.setattr(provider, name, away)
    assert found(bench) == [("seen", "mem: the line is cut")]
    assert doctor.see(backend).servers is None
    assert doctor.see(backend).snapshots is not None


def test_what_storage_says_is_absent_is_not_stored(bench, lived, monkeypatch):
    ghost = VolumeSighting(volume_id=uuid.uuid4(), presence="absent")
    storage = bench.engine.backends["mem"].storage
    ours = storage.list_volumes()
    monkeypatch.setattr(storage, "list_volumes", lambda: (*ours, ghost))
    assert found(bench) == []


def test_what_was_on_its_way_is_not_reported(bench, lived, monkeypatch):
    storage = bench.engine.backends["mem"].storage
    ours, looks = storage.list_volumes(), []

    def passing():
        looks.append(1)
        return () if len(looks) == 1 else ours

    monkeypatch.setattr(storage, "list_volumes", passing)
    assert found(bench) == []
    assert len(looks) == 2


def test_attention_pause_and_absence_are_findings_too(bench, kim, lived, owner_store):
    break_by_force(
        owner_store,
        f"UPDATE reservation SET needs_attention = 'look here' WHERE id = '{lived[0]}'",
        "UPDATE disk SET needs_attention = 'and here' WHERE name = 'home'",
        "UPDATE backend_claim SET paused = 'restored'",
        "UPDATE inventory SET seen_at = seen_at - interval '6 minutes'",
    )
    laws = [law for law, _ in found(bench)]
    assert laws == ["attention", "attention", "paused", "seen"]


def test_the_doctor_writes_nothing(bench, lived):
    with bench.engine.store.transaction() as conn:
        conn.execute("SET TRANSACTION READ ONLY")
        read_tables(conn, World(record=Record(canaries=("x",))), whole=True)
    before = dict(bench.memory.servers), dict(bench.memory.volumes), list(bench.memory.log)
    doctor.examine(bench.engine)
    assert (dict(bench.memory.servers), dict(bench.memory.volumes), list(bench.memory.log)) == before


def test_availability_is_what_the_rows_say(bench, kim, lived):
    answer = answered(availability.availability(bench.engine, kim))
    read = tables(bench)
    assert counted(read) == dict(answer.counts)
    assert [count.total for count in answer.counts.values()] == [4, 8]
    assert check(read, World(record=Record(answer=answer)), read.as_of, bench.engine.limits, only={"I-17"}) == []


def test_availability_of_a_paused_or_closed_backend_is_what_the_rows_say(bench, kim, lived):
    for change in (
        "UPDATE node SET schedulable = false, reason = 'closed'",
        "UPDATE backend_claim SET paused = 'restored'",
    ):
        bench.sql(change)
        assert counted(tables(bench)) == dict(answered(availability.availability(bench.engine, kim)).counts)


def test_an_acknowledged_request_is_looked_up(bench, kim, lived):
    key = bench.sql("SELECT idempotency_key AS key FROM reservation WHERE id = %s", lived[0])[0]["key"]
    kept = Acknowledged(owner="kim", idempotency_key=key, reservation_id=lived[0])
    lost = Acknowledged(owner="kim", idempotency_key="never", reservation_id=uuid.uuid4())
    world = World(record=Record(acknowledged=(kept, lost)))
    read = tables(bench, world)
    (violation,) = check(read, world, read.as_of, bench.engine.limits, only={"I-2"})
    assert str(lost.reservation_id) in violation.what


def test_a_canary_in_any_text_of_the_database_is_found(bench, kim, lived):
    bench.sql("UPDATE plan SET waiting_for = 'a s3cr3t-canary'")
    world = World(record=Record(canaries=("s3cr3t-canary",)))
    read = tables(bench, world)
    (violation,) = check(read, world, read.as_of, bench.engine.limits, only={"I-16"})
    assert violation.what == f"a secret value stands in the plan of {lived[3]}"


def test_the_whole_history_keeps_every_law(bench, lived):
    read = tables(bench, whole=True)
    assert check(read, World(), read.as_of + dt.timedelta(seconds=1), bench.engine.limits) == []
    assert LAWS
