"""A backup puts everything back, and the database it replaces is set aside, never deleted."""

from __future__ import annotations

import shutil
import uuid

import psycopg
import pytest

from gpudev_sdk.errors import NotFound, StoreError
from gpudev_sdk.store import migrate, roles
from gpudev_sdk.store.embedded import Embedded, restore
from tests.fix_database import KILLABLE


def made(folder):
    return Embedded(folder, settings=KILLABLE, ballast_bytes=1024)


def people(embedded):
    with psycopg.connect(embedded.dsn(roles.API)) as conn:
        return [row[0] for row in conn.execute("SELECT name FROM app_user ORDER BY number")]


def add(embedded, name):
    with psycopg.connect(embedded.dsn(roles.API)) as conn:
        conn.execute("INSERT INTO app_user (id, name) VALUES (%s, %s)", (uuid.uuid4(), name))


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory):
    """A folder in which a second person came after the backup; and the backup."""
    place = tmp_path_factory.mktemp("backed-up")
    one = made(place / "postgres")
    one.start()
    one.migrate()
    add(one, "anna")
    history(one)
    one.dump(place / "some.dump")
    add(one, "ben")
    one.stop()
    return place


def history(embedded):
    with psycopg.connect(embedded.dsn(roles.OWNER)) as conn:
        conn.execute(
            "INSERT INTO reservation (id, owner_id, name, request, request_digest, idempotency_key, gpu_type, gpus,"
            " slots_needed, priority, state, granted, state_deadline, queue_deadline)"
            " SELECT gen_random_uuid(), id, 'work', '{}', '', 'k', 'h100', 1, 1, 0, 'queued', interval '1 hour', now(), now()"
            " FROM app_user"
        )
        conn.execute(
            "INSERT INTO reservation_event (reservation_id, generation, what, to_state, actor)"
            " SELECT id, 1, 'submitted', 'queued', 'anna' FROM reservation"
        )
        conn.execute("INSERT INTO listener_cursor (name, xid, number) VALUES ('slack', '0', 0)")


@pytest.fixture
def place(backed_up, tmp_path):
    yield shutil.copytree(backed_up, tmp_path / "place", symlinks=True)
    shutil.rmtree(tmp_path / "place")


def test_what_was_backed_up_is_back_and_the_rest_is_set_aside(place):
    aside = restore(place / "postgres", place / "some.dump")
    one = made(place / "postgres")
    one.start()
    assert one.migrate() == []
    assert people(one) == ["anna"]
    add(one, "carl")
    one.stop()
    assert aside.parent == place / "postgres" and (aside / "PG_VERSION").exists()


def test_the_restored_schema_is_the_one_that_was_backed_up(place):
    restore(place / "postgres", place / "some.dump")
    one = made(place / "postgres")
    one.start()
    migrate.check_schema(one.dsn(roles.ENGINE))
    with psycopg.connect(one.dsn(roles.ENGINE)) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("DELETE FROM reservation")
    with psycopg.connect(one.dsn(roles.OWNER)) as conn, pytest.raises(psycopg.errors.RestrictViolation):
        conn.execute("DELETE FROM reservation")
    one.stop()


def test_listeners_are_still_told_what_they_were_not_told(place):
    restore(place / "postgres", place / "some.dump")
    one = made(place / "postgres")
    one.start()
    with psycopg.connect(one.dsn(roles.ENGINE)) as conn:
        untold = conn.execute(
            "SELECT count(*) FROM reservation_event e, listener_cursor c"
            " WHERE (e.xid, e.number) > (c.xid, c.number) AND e.xid < pg_snapshot_xmin(pg_current_snapshot())"
        ).fetchone()
    one.stop()
    assert untold == (1,)


def test_a_restore_of_a_folder_that_lost_its_database_works(place):
    shutil.rmtree(place / "postgres" / "data")
    restore(place / "postgres", place / "some.dump")
    one = made(place / "postgres")
    one.start()
    assert people(one) == ["anna"]
    one.stop()


def test_a_restore_of_a_folder_that_lost_its_passwords_works(place):
    shutil.rmtree(place / "postgres" / "passwords")
    restore(place / "postgres", place / "some.dump")
    one = made(place / "postgres")
    one.start()
    assert people(one) == ["anna"]
    one.stop()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PGDMP rubbish"])
def test_a_file_that_is_no_backup_changes_nothing(place, content):
    (place / "bad.dump").write_bytes(content)
    with pytest.raises(StoreError, match="failed"):
        restore(place / "postgres", place / "bad.dump")
    one = made(place / "postgres")
    one.start()
    assert people(one) == ["anna", "ben"]
    one.stop()


def test_a_backup_that_was_cut_short_changes_nothing(place):
    whole = (place / "some.dump").read_bytes()
    (place / "short.dump").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(StoreError):
        restore(place / "postgres", place / "short.dump")
    one = made(place / "postgres")
    one.start()
    assert people(one) == ["anna", "ben"]
    one.stop()


def test_a_file_that_is_not_there_is_not_found(place):
    with pytest.raises(NotFound):
        restore(place / "postgres", place / "none.dump")


def test_a_restore_while_the_database_is_up_is_refused(place):
    one = made(place / "postgres")
    one.start()
    with pytest.raises(StoreError, match="in use"):
        restore(place / "postgres", place / "some.dump")
    assert people(one) == ["anna", "ben"]
    one.stop()
