"""Every named statement means something to PostgreSQL, and each service role may write by exactly those it uses."""

from __future__ import annotations

import importlib.resources
import re

import psycopg
import pytest

from gpudev_sdk.store import roles
from gpudev_sdk.store.sql import queries

FILES = sorted(
    file.name.removesuffix(".sql") for file in (importlib.resources.files("gpudev_sdk.store") / "queries").iterdir()
)
STATEMENTS = {f"{file}.{name}": text.decode() for file in FILES for name, text in queries(file).items()}
WRITES = {name for name, text in STATEMENTS.items() if re.search(r"^(INSERT|UPDATE|DELETE)\b", text, re.MULTILINE)}
READS = set(STATEMENTS) - WRITES

#: What people do comes through the API, and through nothing else.
ONLY_API = {
    "people.disable_user", "people.insert_identity", "people.insert_key", "people.insert_token", "people.remove_identity",
    "people.remove_key", "people.revoke_token", "people.revoke_tokens", "people.token_used", "people.use_nonce",
}  # fmt: skip
#: Both may.
BOTH = {
    "disks.wish_of_disk",
    "disks.delete_disk", "disks.insert_disk", "disks.insert_snapshot", "disks.leave_place",
    "disks.restore_disk", "disks.undelete_disk",
    "disks.forget_volume", "people.audit", "people.insert_user", "people.make_admin", "people.boxes_of",
    "reservations.add_secret", "reservations.insert_event", "reservations.insert_reservation",
}  # fmt: skip
#: Secret values are read where boxes are set up, and tokens where people come in.
NOT_READ_BY_API = {
    "check.tables", "check.texts", "fleet.free_slots", "fleet.lock_slots", "listeners.untold", "reservations.secrets_of",
}  # fmt: skip
NOT_READ_BY_ENGINE = {"people.find_token", "people.tokens_of"}


def generic(statement: str) -> bytes:
    """Return the statement with PostgreSQL's own placeholders."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${names.setdefault(match[1], len(names) + 1)}"

    return re.sub(r"%\(([a-z_]+)\)s", number, statement).encode()


@pytest.fixture(scope="module")
def connections(shared_database):
    opened = {
        role: psycopg.connect(shared_database.dsn(role), autocommit=True)
        for role in (roles.OWNER, roles.API, roles.ENGINE, roles.READER)
    }
    yield opened
    for conn in opened.values():
        conn.close()


def allowed(conn: psycopg.Connection, name: str) -> bool:
    """Say whether a role may run a statement: planning it checks the rights and runs nothing."""
    try:
        conn.execute(b"EXPLAIN (GENERIC_PLAN) " + generic(STATEMENTS[name]))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_it_is_a_statement_of_the_schema(connections, name):
    assert allowed(connections[roles.OWNER], name)


@pytest.mark.parametrize("name", sorted(WRITES))
def test_a_write_is_open_to_those_who_make_it_and_to_nobody_else(connections, name):
    for_api = name in ONLY_API | BOTH
    for_engine = name not in ONLY_API
    assert allowed(connections[roles.API], name) is for_api
    assert allowed(connections[roles.ENGINE], name) is for_engine
    assert not allowed(connections[roles.READER], name)


@pytest.mark.parametrize("name", sorted(READS))
def test_a_read_is_open_to_those_who_need_it(connections, name):
    assert allowed(connections[roles.API], name) is (name not in NOT_READ_BY_API)
    assert allowed(connections[roles.ENGINE], name) is (name not in NOT_READ_BY_ENGINE)
