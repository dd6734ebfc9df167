"""The roles of the database (docs/security.md): an owner that migrates, and services that are never superusers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import psycopg
from psycopg import sql

from gpudev_sdk.errors import Unavailable

OWNER = "gpudev_owner"
API = "gpudev_api"
ENGINE = "gpudev_engine"
READER = "gpudev_ro"
AUDIT = "gpudev_audit"
ROLES = (OWNER, API, ENGINE, READER, AUDIT)

LOCK = 7205757
#: Bounds that hold whoever connects; the owner's migrations and dumps may take longer.
_TIMES = {"statement_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"}


def ensure_roles(superuser_dsn: str, database: str, passwords: Mapping[str, str]) -> None:
    """Make the roles and the database where they are missing, and set the passwords; may be repeated at any time.

    A role without a password here cannot log in, unless it could before. Passwords leave this process only as SCRAM
    verifiers. Raises Unavailable when the server is away.
    """
    try:
        with psycopg.connect(superuser_dsn, autocommit=True) as conn:
            with conn.transaction():
                conn.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                for role in ROLES:
                    _ensure_role(conn, role, passwords.get(role))
            ensure_database(conn, database)
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database server cannot answer now: {str(error).strip()}") from error


def _ensure_role(conn: psycopg.Connection, role: str, password: str | None) -> None:
    name = sql.Identifier(role)
    if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
        if role != OWNER:
            for setting, value in _TIMES.items():
                text = sql.SQL("ALTER ROLE {} SET {} = {}")
                conn.execute(text.format(name, sql.Identifier(setting), sql.Literal(value)))
    conn.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS").format(name))
    if password is not None:
        verifier = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        conn.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier)))


def ensure_database(conn: psycopg.Connection, database: str) -> None:
    """Make a database where it is missing, which only our roles may enter; the connection is a superuser's, in autocommit."""
    name = sql.Identifier(database)
    if conn.execute("SELECT FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
        # Another start may make it meanwhile.
        with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
    conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    services = sql.SQL(", ").join(sql.Identifier(role) for role in ROLES if role != OWNER)
    conn.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, services))
