"""Migrations are applied once however many start together, whole or not at all, and never over a history that is not ours."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from gpudev_sdk.errors import StoreError, Unavailable
from gpudev_sdk.store import grants, migrate, roles
from gpudev_sdk.store.embedded import binaries
from gpudev_sdk.store.embedded.passwords import SUPERUSER

NAMES = [one.name for one in migrate.migrations()]


def schema(database):
    """Return everything but the rows, as a dump says it."""
    ways = ["--schema-only", "--exclude-schema=test", f"--dbname={database.dsn(SUPERUSER)}"]
    text = binaries.run([binaries.program("pg_dump"), *ways], "the dump")
    # The dump guards itself by a fresh word each time.
    return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


def owner(database, statement):
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        return conn.execute(statement)


def test_an_empty_database_gets_every_migration_in_order(empty_database):
    assert migrate.migrate(empty_database.owner_dsn) == NAMES
    assert migrate.schema_of(empty_database.owner_dsn) == migrate.SCHEMA


def test_a_second_time_there_is_nothing_to_do(empty_database):
    migrate.migrate(empty_database.owner_dsn)
    before = schema(empty_database)
    assert migrate.migrate(empty_database.owner_dsn) == []
    assert schema(empty_database) == before


def test_each_is_applied_once_when_four_start_together(empty_database, shared_database):
    code = (
        "import sys; from gpudev_sdk.store.migrate import migrate; sys.stdin.readline(); print(*migrate(sys.argv[1]))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, empty_database.owner_dsn],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert sorted(name for names in said for name in names) == NAMES
    assert schema(empty_database) == schema(shared_database)


#: Counts the statements that change the schema, over transactions, and cuts the connection at the one that was asked for.
CUT = """
CREATE SCHEMA test;
GRANT USAGE ON SCHEMA test TO PUBLIC;
CREATE SEQUENCE test.done;
GRANT USAGE ON SEQUENCE test.done TO PUBLIC;
CREATE FUNCTION test.cut() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('test.done') = {} THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(10);
    END IF;
END $$;
CREATE EVENT TRIGGER cut ON ddl_command_end EXECUTE FUNCTION test.cut();
"""


@pytest.mark.parametrize("number", [1, 2, 7, 19, 40, 60, 75, 83, 95, 130, 160, 190, 200])
def test_one_that_was_cut_off_at_any_statement_is_done_by_the_next_start(empty_database, shared_database, number):
    with psycopg.connect(empty_database.dsn(SUPERUSER), autocommit=True) as conn:
        conn.execute(CUT.format(number).encode())
        with pytest.raises(Unavailable):
            migrate.migrate(empty_database.owner_dsn)
        conn.execute("DROP EVENT TRIGGER cut")
    migrate.migrate(empty_database.owner_dsn)
    assert schema(empty_database) == schema(shared_database)


def test_a_migration_that_was_changed_since_is_refused_and_nothing_is_done(database):
    owner(database, "UPDATE schema_migration SET sha256 = 'other' WHERE number = 2")
    owner(database, f"DELETE FROM schema_migration WHERE number = {migrate.SCHEMA}")
    with pytest.raises(StoreError, match="0002_people was applied in another form") as failure:
        migrate.migrate(database.owner_dsn)
    assert failure.value.hint
    assert migrate.schema_of(database.owner_dsn) == migrate.SCHEMA - 1


def newer(database, oldest="NULL", number=migrate.SCHEMA + 1):
    columns = "number, name, sha256, oldest"
    owner(database, f"INSERT INTO schema_migration ({columns}) VALUES ({number}, 'later', '', {oldest})")


@pytest.mark.parametrize("attempt", [migrate.migrate, migrate.check_schema])
def test_a_database_newer_than_the_code_is_refused_with_the_next_step(database, attempt):
    newer(database)
    with pytest.raises(StoreError, match=f"schema {migrate.SCHEMA + 1}") as failure:
        attempt(database.owner_dsn)
    assert "Upgrade gpudev" in failure.value.hint


@pytest.mark.parametrize("attempt", [migrate.migrate, migrate.check_schema])
def test_a_database_that_was_only_added_to_is_used_as_it_is(database, attempt):
    newer(database, migrate.SCHEMA)
    before = schema(database)

    assert not attempt(database.owner_dsn)
    assert schema(database) == before


def test_one_migration_that_needs_newer_code_is_enough_to_refuse(database):
    newer(database)
    newer(database, migrate.SCHEMA, migrate.SCHEMA + 2)
    with pytest.raises(StoreError, match=f"schema {migrate.SCHEMA + 2}"):
        migrate.check_schema(database.owner_dsn)


def test_what_was_only_added_to_must_still_begin_with_our_history(database):
    newer(database, migrate.SCHEMA)
    owner(database, "UPDATE schema_migration SET sha256 = 'other' WHERE number = 2")
    with pytest.raises(StoreError, match="0002_people was applied in another form"):
        migrate.check_schema(database.owner_dsn)


def test_the_rights_of_a_newer_version_stay(database):
    newer(database, migrate.SCHEMA)
    owner(database, "REVOKE ALL ON reservation FROM gpudev_engine")
    owner(database, "UPDATE schema_note SET version = 'of another version' WHERE what = 'grants'")
    migrate.migrate(database.owner_dsn)
    rights = owner(database, "SELECT has_table_privilege('gpudev_engine', 'reservation', 'SELECT')").fetchone()
    assert rights == (False,)


@pytest.mark.parametrize("role", [roles.API, roles.ENGINE])
def test_a_service_finds_the_schema_it_needs(database, role):
    migrate.check_schema(database.dsn(role))


def test_a_service_refuses_a_database_that_was_not_migrated(empty_database):
    with pytest.raises(StoreError, match="schema 0") as failure:
        migrate.check_schema(empty_database.owner_dsn)
    assert "migrate" in failure.value.hint


def test_a_database_that_is_away_is_unavailable(tmp_path):
    with pytest.raises(Unavailable):
        migrate.migrate(f"host={tmp_path} dbname=none")


def test_rights_are_given_again_when_the_roles_changed(database, store):
    owner(database, "REVOKE ALL ON reservation FROM gpudev_engine")
    migrate.migrate(database.owner_dsn)
    with store.transaction() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT FROM reservation")
    owner(database, "UPDATE schema_note SET version = 'of other roles' WHERE what = 'grants'")
    migrate.migrate(database.owner_dsn)
    with store.transaction() as conn:
        conn.execute("SELECT FROM reservation")


def test_a_server_without_our_roles_is_migrated_all_the_same(empty_database, monkeypatch):
    monkeypatch.setattr(grants, "QUEUE_ROLES", {"gpudev_nobody_has_this": True})
    assert migrate.migrate(empty_database.owner_dsn) == NAMES


def test_a_server_that_is_too_old_is_refused_with_the_next_step_and_stays_as_it_is(empty_database, monkeypatch):
    monkeypatch.setattr(migrate, "OLDEST_SERVER", binaries.MAJOR + 1)
    for ask in (migrate.schema_of, migrate.migrate, migrate.check_schema):
        with pytest.raises(
            StoreError, match=f"is PostgreSQL {binaries.MAJOR}, .* needs {binaries.MAJOR + 1}"
        ) as failure:
            ask(empty_database.owner_dsn)
        assert "pg_restore" in failure.value.hint
    monkeypatch.undo()
    assert migrate.schema_of(empty_database.owner_dsn) == 0
