"""The roles of the services in a database that somebody else runs: made by its owner as far as the owner may.

Of a managed PostgreSQL nobody is superuser; there the owner makes roles by CREATEROLE and sets passwords of those it made
(https://www.postgresql.org/docs/current/role-attributes.html). What it may not do has been done by hand, or is said.
"""

from __future__ import annotations

from collections.abc import Mapping

from gpudev_sdk.errors import StoreError
from gpudev_sdk.store import roles
from gpudev_sdk.store.pool import Store
from gpudev_sdk.store.rows import Conn, Row

_MAY = """
SELECT to_regrole(%(role)s::text) IS NOT NULL AS there, me.rolsuper OR me.rolcreaterole AS makes,
    me.rolsuper OR me.rolcreaterole
        AND COALESCE(pg_has_role(to_regrole(%(role)s::text)::oid, 'MEMBER WITH ADMIN OPTION'), false) AS changes
FROM pg_roles me WHERE me.rolname = current_user
"""
_BOUNDS = {"statement_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"}


def ensure(owner: Store, passwords: Mapping[str, str]) -> list[str]:
    """Make the roles that are missing, and set the passwords where we may; return those that were left as they are."""
    with owner.transaction() as conn:
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (roles.LOCK,))
        left = [role for role, password in passwords.items() if not _ensure(conn, role, password)]
        _let_in(conn, list(passwords))
    return left


def _ensure(conn: Conn, role: str, password: str) -> bool:
    may = _one(conn.execute(_MAY, {"role": role}).fetchone())
    if not may["there"] and not may["makes"]:
        raise StoreError(
            f"there is no role {role}, and the database's owner may not make it",
            hint=f"Have an administrator of the database run: CREATE ROLE {role} LOGIN PASSWORD '…', with that of its secret.",
        )
    if may["there"] and not may["changes"]:
        return False
    if not may["there"]:
        _run(conn, "SELECT format('CREATE ROLE %%I', %s::text) AS text", (role,))
        for setting, value in _BOUNDS.items():
            _run(
                conn,
                "SELECT format('ALTER ROLE %%I SET %%I = %%L', %s::text, %s::text, %s::text) AS text",
                (role, setting, value),
            )
    verifier = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    _run(conn, "SELECT format('ALTER ROLE %%I LOGIN PASSWORD %%L', %s::text, %s::text) AS text", (role, verifier))
    return True


def _let_in(conn: Conn, names: list[str]) -> None:
    """Let the services in and nobody else, where the database is ours."""
    ours = _one(
        conn.execute(
            "SELECT pg_has_role(datdba, 'USAGE') AS ours FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    )
    if not ours["ours"]:
        return
    _run(conn, "SELECT format('REVOKE ALL ON DATABASE %%I FROM PUBLIC', current_database()) AS text", ())
    for name in names:
        _run(
            conn, "SELECT format('GRANT CONNECT ON DATABASE %%I TO %%I', current_database(), %s::text) AS text", (name,)
        )


def _run(conn: Conn, form: str, values: tuple[str, ...]) -> None:
    """Run a statement that PostgreSQL itself puts together, with every value quoted."""
    text: str = _one(conn.execute(form.encode(), values).fetchone())["text"]
    conn.execute(text.encode())


def _one(row: Row | None) -> Row:
    assert row is not None  # each statement here gives one row
    return row
