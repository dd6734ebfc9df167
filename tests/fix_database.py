"""Real databases for tests: one embedded PostgreSQL a test process, and a fresh migrated database for each test."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded import Embedded
from gpudev_sdk.store.embedded.passwords import SUPERUSER
from gpudev_sdk.store.migrate import migrate
from gpudev_sdk.store.pool import Store

TEMPLATE = "gpudev_template"
#: A power cut is no part of these tests; those that need safe writes start a server of their own.
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
#: A process may die, the machine does not: what was committed must outlive the server.
KILLABLE = {"fsync": "off"}
_numbers = itertools.count(1)


@attrs.frozen
class Database:
    """A database of a test's own, with the roles of a real one."""

    embedded: Embedded
    name: str

    def dsn(self, role: str = roles.ENGINE) -> str:
        """Return how a role connects; `postgres` is the server's superuser."""
        return self.embedded.dsn(role, self.name)

    @property
    def owner_dsn(self) -> str:
        """How the schema's owner connects, who may do anything in it."""
        return self.dsn(roles.OWNER)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One PostgreSQL for all tests of this process."""
    embedded = Embedded(pathlib.Path(tmp_path_factory.mktemp("postgres")), settings=QUICK, ballast_bytes=1024)
    embedded.start()
    try:
        yield embedded
    finally:
        embedded.stop()
        shutil.rmtree(embedded.folder)


def _as_superuser(server: Embedded, *statements: sql.Composed) -> None:
    with psycopg.connect(server.dsn(SUPERUSER, "postgres"), autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def make_template(server: Embedded) -> str:
    """Make the database with the newest schema of which all others are copies, and return its name."""
    make = sql.SQL("CREATE DATABASE {} OWNER {}")
    _as_superuser(server, make.format(sql.Identifier(TEMPLATE), sql.Identifier(roles.OWNER)))
    migrate(server.dsn(roles.OWNER, TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def _template(server: Embedded) -> str:
    return make_template(server)


@contextlib.contextmanager
def fresh_database(server: Embedded, template: str) -> Iterator[Database]:
    """Make a database like the template, for as long as it is used."""
    name = sql.Identifier(f"test_{next(_numbers)}")
    make = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
    with psycopg.connect(server.dsn(SUPERUSER, "postgres"), autocommit=True) as conn:
        conn.execute(make.format(name, sql.Identifier(roles.OWNER), sql.Identifier(template)))
        roles.ensure_database(conn, name.as_string().strip('"'))
    try:
        yield Database(server, name.as_string().strip('"'))
    finally:
        _as_superuser(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def shared_database(server: Embedded, _template: str) -> Iterator[Database]:
    """A database with the newest schema for tests that leave nothing in it; cheaper than one of their own."""
    with fresh_database(server, _template) as made:
        yield made


@pytest.fixture(scope="session")
def _scratch(shared_database: Database) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(shared_database.owner_dsn, row_factory=dict_row) as conn:
        yield conn


@pytest.fixture
def scratch(_scratch: psycopg.Connection[dict[str, Any]]) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection as the schema's owner to a database that is empty again after each test: nothing is ever committed.

    Cheaper than `database`. `SET CONSTRAINTS ALL IMMEDIATE` does what a commit would check.
    """
    with _scratch.transaction(force_rollback=True):
        yield _scratch


@pytest.fixture
def database(server: Embedded, _template: str) -> Iterator[Database]:
    """A fresh database with the newest schema."""
    with fresh_database(server, _template) as made:
        yield made


@pytest.fixture
def empty_database(server: Embedded) -> Iterator[Database]:
    """A fresh database with nothing in it."""
    with fresh_database(server, "template0") as made:
        yield made


@pytest.fixture
def open_store(database: Database) -> Iterator[Callable[..., Store]]:
    """Open stores on the test's database: `open_store(role, max_size=10)`."""
    stores: list[Store] = []

    def make(role: str, *, max_size: int = 10) -> Store:
        store = Store(database.dsn(role), max_size=max_size)
        store.open()
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., Store]) -> Store:
    """A store as the engine's role."""
    return open_store(roles.ENGINE)


@pytest.fixture
def api_store(open_store: Callable[..., Store]) -> Store:
    """A store as the API's role."""
    return open_store(roles.API)


@pytest.fixture
def owner_store(open_store: Callable[..., Store]) -> Store:
    """A store as the schema's owner, to arrange what no service may do."""
    return open_store(roles.OWNER)
