"""`migrate` where separate services run: it waits, makes their roles as far as it may, and sees that they get in."""

from __future__ import annotations

import contextlib
import itertools
import subprocess

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded.passwords import SUPERUSER
from gpudev_sdk.store.migrate import SCHEMA, check_schema
from tests.contract.services.apart import BIN, with_password
from tests.fix_install import until

NUMBERS = itertools.count(1)


@pytest.fixture
def place(bare):
    """A database that nobody migrated, in a server without the services' roles, and how its users get in."""
    admin = bare.embedded.dsn(SUPERUSER, "postgres")
    name = f"place_{next(NUMBERS)}"
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield name
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def without_roles(bare):
    """The same server without the services' roles; they come back with the passwords that they had."""
    admin = bare.embedded.dsn(SUPERUSER, "postgres")
    with psycopg.connect(admin, autocommit=True) as conn:
        for role in (roles.API, roles.ENGINE, "boss"):
            with contextlib.suppress(psycopg.errors.UndefinedObject):
                forget(bare, role)
                conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    return bare


def forget(bare, role):
    """Take everything that a role was given, in every database."""
    with psycopg.connect(bare.embedded.dsn(SUPERUSER, "postgres"), autocommit=True) as conn:
        names = [row[0] for row in conn.execute("SELECT datname FROM pg_database WHERE datallowconn")]
    for name in names:
        with psycopg.connect(bare.embedded.dsn(SUPERUSER, name), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))


def dsn_of(bare, database, user, password):
    parts = conninfo_to_dict(bare.embedded.dsn(SUPERUSER, database))
    parts.pop("passfile")
    return make_conninfo("", **(parts | {"user": user, "password": password}))


def folder(bare, database, owner, *, api="it's \\ one", engine="another"):
    """Return a folder of secrets for a database."""
    return bare.folder_of("migrate", **{
        "owner-dsn": owner.encode(),
        "api-dsn": dsn_of(bare, database, roles.API, api).encode(),
        "engine-dsn": dsn_of(bare, database, roles.ENGINE, engine).encode(),
    })  # fmt: skip


def boss(bare, database, rights):
    """Make an owner of a database as a managed PostgreSQL has one: no superuser."""
    with psycopg.connect(bare.embedded.dsn(SUPERUSER, "postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE boss LOGIN {} PASSWORD 'boss'").format(sql.SQL(rights)))
        conn.execute(sql.SQL("ALTER DATABASE {} OWNER TO boss").format(sql.Identifier(database)))
    return dsn_of(bare, database, "boss", "boss")


def test_a_superuser_makes_roles_that_are_none(without_roles, place):
    bare = without_roles
    secrets = folder(bare, place, with_password(bare.embedded, SUPERUSER, place))

    done = bare.run("migrate", secrets=secrets)

    assert done.returncode == 0, done.stderr
    for name in ("api-dsn", "engine-dsn"):
        check_schema((secrets / name).read_text())
        with psycopg.connect((secrets / name).read_text()) as conn:
            assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)


def test_the_owner_of_a_managed_database_makes_them_too(without_roles, place):
    bare = without_roles
    secrets = folder(bare, place, boss(bare, place, "CREATEROLE"))

    first, again = bare.run("migrate", secrets=secrets), bare.run("migrate", secrets=secrets)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert "applied 0001" in first.stdout
    assert "applied" not in again.stdout


def test_an_owner_without_that_right_is_told_what_an_administrator_has_to_run(without_roles, place):
    bare = without_roles

    done = bare.run("migrate", secrets=folder(bare, place, boss(bare, place, "NOCREATEROLE")))

    assert done.returncode == 1
    assert "CREATE ROLE gpudev_api LOGIN PASSWORD" in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_a_new_password_in_the_secret_is_the_roles_after_the_next_run(without_roles, place):
    bare = without_roles
    owner = with_password(bare.embedded, SUPERUSER, place)
    assert bare.run("migrate", secrets=folder(bare, place, owner)).returncode == 0
    changed = folder(bare, place, owner, api="new")

    assert bare.run("migrate", secrets=changed).returncode == 0

    check_schema((changed / "api-dsn").read_text())
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn_of(bare, place, roles.API, "it's \\ one"))


def test_strangers_of_the_same_server_get_into_the_database_no_more(without_roles, place):
    bare = without_roles
    secrets = folder(bare, place, with_password(bare.embedded, SUPERUSER, place))
    assert bare.run("migrate", secrets=secrets).returncode == 0
    boss(bare, "template1", "NOCREATEROLE")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(dsn_of(bare, place, "boss", "boss"))
    finally:
        with psycopg.connect(bare.embedded.dsn(SUPERUSER, "postgres"), autocommit=True) as conn:
            conn.execute(sql.SQL("ALTER DATABASE template1 OWNER TO {}").format(sql.Identifier(SUPERUSER)))


def test_two_at_once_are_as_one(without_roles, place):
    bare = without_roles
    secrets = folder(bare, place, with_password(bare.embedded, SUPERUSER, place))
    command = [BIN / "gpudev-services", "migrate", "--config", bare.config, "--secrets", secrets]

    both = [
        subprocess.Popen(command, env=bare.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=60) for one in both]

    assert [one.returncode for one in both] == [0, 0], said
    applied = [line for out, _ in said for line in out.splitlines() if line.startswith("applied")]
    assert len(applied) == len(set(applied)) == SCHEMA


def test_roles_are_made_by_one_run_at_a_time(without_roles, place):
    bare = without_roles
    owner = with_password(bare.embedded, SUPERUSER, place)
    command = [BIN / "gpudev-services", "migrate", "--config", bare.config, "--secrets", folder(bare, place, owner)]
    with psycopg.connect(owner) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (roles.LOCK,))
        run = subprocess.Popen(command, env=bare.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: waits(owner))
            assert other.execute("SELECT to_regrole('gpudev_api')").fetchone() == (None,)
        finally:
            other.rollback()
            _, err = run.communicate(timeout=60)

    assert run.returncode == 0, err


def waits(dsn):
    with psycopg.connect(dsn) as conn:
        return conn.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone()


def test_both_know_the_same_install(without_roles, place):
    bare = without_roles
    secrets = folder(bare, place, with_password(bare.embedded, SUPERUSER, place))

    first, again = (bare.run("migrate", secrets=secrets).stdout.splitlines()[-1] for _ in range(2))

    assert first == again
    assert "install" in first


def test_it_waits_for_a_database_that_is_not_there_yet(bare):
    command = [BIN / "gpudev-services", "migrate", "--config", bare.config, "--secrets", bare.folder_of("migrate")]
    bare.embedded.stop()
    try:
        early = bare.run("migrate", "--wait", "1")
        waiting = subprocess.Popen(
            [*command, "--wait", "60"], env=bare.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        bare.embedded.start()
    out, err = waiting.communicate(timeout=60)

    assert early.returncode == 1
    assert early.stderr.startswith("gpudev: owner-dsn: the database cannot answer now")
    assert len(early.stderr.splitlines()) == 2
    assert waiting.returncode == 0, err
    assert "up to date" in out


def test_a_role_that_a_service_may_not_use_is_found_out_by_the_migration(bare):
    stale = with_password(bare.embedded, roles.API).replace("password=", "password=x")

    done = bare.run("migrate", secrets=bare.folder_of("migrate", **{"api-dsn": stale.encode()}))

    assert done.returncode == 1
    assert done.stderr.startswith("gpudev: api-dsn: ")
    assert "password authentication failed" in done.stderr


def test_a_secret_of_another_role_is_refused_before_anything_is_done(bare):
    swapped = bare.folder_of("migrate", **{"api-dsn": bare.secrets["engine-dsn"]})

    done = bare.run("migrate", secrets=swapped)

    assert done.returncode == 1
    assert f"{swapped}/api-dsn does not log in as gpudev_api" in done.stderr
    assert "password=…" in done.stderr
