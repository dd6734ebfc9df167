"""Services are roles that can do what they need and no more; nobody of them is a superuser."""

from __future__ import annotations

import psycopg
import pytest

from gpudev_sdk.store import bell, pgmq, roles
from gpudev_sdk.store.embedded.passwords import SUPERUSER, read

SERVICES = [roles.API, roles.ENGINE, roles.READER, roles.AUDIT]


def run(database, role, statement):
    with psycopg.connect(database.dsn(role), autocommit=True) as conn:
        conn.execute(statement)


@pytest.fixture
def forbidden(shared_database):
    def check(role, statement):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(shared_database, role, statement)

    return check


@pytest.mark.parametrize("role", roles.ROLES)
def test_nobody_is_a_superuser_or_could_become_one(shared_database, role):
    with psycopg.connect(shared_database.dsn(role)) as conn:
        found = conn.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = %s",
            (role,),
        ).fetchone()
        assert found == (False,) * 5
        assert conn.execute("SELECT count(*) FROM pg_auth_members WHERE member = %s::regrole", (role,)).fetchone() == (
            0,
        )


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize("table", ["reservation", "disk", "volume", "snapshot", "reservation_event", "audit_event"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}"])
def test_no_service_deletes_what_must_stay(forbidden, role, table, statement):
    forbidden(role, statement.format(table))


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql RETURN 1",
        "CREATE ROLE mine",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/mine'",
        "ALTER SYSTEM SET fsync = off",
        "SET ROLE gpudev_owner",
        "DROP TRIGGER IF EXISTS reservation_moves ON reservation",
        "ALTER TABLE reservation DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "SELECT pg_read_file('PG_VERSION')",
        "UPDATE schema_migration SET sha256 = ''",
    ],
)
def test_no_service_changes_the_schema_or_reaches_beyond_it(forbidden, role, statement):
    forbidden(role, statement)


@pytest.mark.parametrize(
    "statement", ["COPY (SELECT 1) TO PROGRAM 'true'", "CREATE ROLE mine", "ALTER SYSTEM SET fsync = off"]
)
def test_the_owner_of_the_schema_is_no_owner_of_the_server(forbidden, statement):
    forbidden(roles.OWNER, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reservation SET state = 'stopping'",
        "UPDATE reservation SET lease_epoch = 9",
        "UPDATE gpu_slot SET reservation_id = NULL",
        "INSERT INTO disk_lease (disk_id, reservation_id, attempt) VALUES (NULL, NULL, 1)",
        "SELECT value FROM reservation_secret",
        "SELECT pgmq.read('work', 0, 1)",
        "SELECT pgmq.archive('work', 1::bigint)",
        "SELECT pgmq.purge_queue('work')",
        "SELECT message FROM pgmq.q_work",
        "UPDATE snapshot SET state = 'deleting'",
        "UPDATE backend_claim SET paused = NULL",
        "UPDATE user_identity SET user_id = NULL",
        "UPDATE user_identity SET subject = ''",
    ],
)
def test_the_api_does_not_do_the_engines_work(forbidden, statement):
    forbidden(roles.API, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT hash FROM api_token",
        "UPDATE app_user SET disabled_at = NULL",
        "INSERT INTO api_token (id) VALUES (NULL)",
        "INSERT INTO user_identity (id) VALUES (NULL)",
    ],
)
def test_the_engine_does_not_let_anybody_in(forbidden, statement):
    forbidden(roles.ENGINE, statement)


@pytest.mark.parametrize("table", ["reservation_secret", "api_token", "used_nonce", "user_key", "user_identity"])
def test_figures_are_read_without_secrets(forbidden, table):
    forbidden(roles.READER, f"SELECT FROM {table}")


def test_the_audit_role_adds_and_reads_nothing(database, forbidden):
    run(
        database,
        roles.AUDIT,
        "INSERT INTO audit_event (actor, via, action, object) VALUES ('a', 'b', 'c', 'd')",
    )
    forbidden(roles.AUDIT, "SELECT FROM audit_event")


def test_the_api_sends_and_the_engine_reads(api_store, store):
    with api_store.transaction() as conn:
        number = pgmq.send(conn, bell.QUEUE, {"v": 1})
    with store.transaction() as conn:
        assert [message.id for message in pgmq.read(conn, bell.QUEUE, vt=1, qty=9)] == [number]
        pgmq.archive(conn, bell.QUEUE, number)


def test_a_person_is_locked_by_the_api(api_store):
    with api_store.transaction() as conn:
        conn.execute("SELECT FROM app_user FOR NO KEY UPDATE")


@pytest.mark.parametrize("role", [roles.API, roles.ENGINE])
def test_waiting_is_bounded_by_the_server_too(shared_database, role):
    with psycopg.connect(shared_database.dsn(role)) as conn:
        assert conn.execute("SHOW statement_timeout").fetchone() == ("30s",)


def test_making_the_roles_again_changes_nothing_and_a_new_password_counts(server, shared_database):
    before = read(server._layout, roles.READER)
    roles.ensure_roles(server.dsn(SUPERUSER, "postgres"), "gpudev", {roles.READER: "another"})
    try:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            run(shared_database, roles.READER, "SELECT 1")
        run(shared_database, roles.API, "SELECT 1")
    finally:
        roles.ensure_roles(server.dsn(SUPERUSER, "postgres"), "gpudev", {roles.READER: before})
    run(shared_database, roles.READER, "SELECT 1")


def test_a_stranger_does_not_connect(server):
    with psycopg.connect(server.dsn(SUPERUSER, "gpudev")) as conn:
        found = conn.execute("SELECT has_database_privilege('public', 'gpudev', 'CONNECT')").fetchone()
    assert found == (False,)
