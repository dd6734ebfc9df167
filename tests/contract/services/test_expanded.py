"""The database of a later version, which only added to it: today's services serve on, and serve again after a rollback."""

from __future__ import annotations

import psycopg
import pytest

from gpudev_sdk.store.migrate import SCHEMA
from tests.contract.services.apart import Person

pytestmark = pytest.mark.sandbox
LATER = """
DO $$ DECLARE found text; BEGIN
    FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN of_later jsonb DEFAULT ''{}''', found);
    END LOOP;
END $$;
CREATE TABLE of_later (id int PRIMARY KEY);
GRANT SELECT ON of_later TO gpudev_api;
"""


def expand(apart):
    """Do what the migration of a later version does: every table has a column more."""
    with psycopg.connect(apart.dsn, autocommit=True) as conn:
        conn.execute(LATER)
        conn.execute(
            "INSERT INTO schema_migration (number, name, sha256, oldest) VALUES (%s, 'later', 'x', %s)",
            (SCHEMA + 1, SCHEMA),
        )


@pytest.fixture(scope="module")
def services(apart):
    started = [apart.service(word, word).start() for word in ("api", "processor", "gateway")]
    apart.until_ready(*started)
    yield started
    for service in started:
        service.end()


@pytest.fixture(scope="module")
def kim(apart, services):
    person = Person(apart.root, "kim")
    person.make_key()
    assert apart.run("admin-user", "kim", "--key", f"{person.key}.pub").returncode == 0
    person.cli("login", apart.address(services[0]), "--key", str(person.key))
    person.cli("reserve", "cpu", "1h", "--disk", "before")
    person.ssh("before", "echo kept > ~/notes; sync")
    expand(apart)
    return person


def test_what_runs_serves_on(apart, services, kim):
    apart.until_ready(*services)

    assert kim.ssh("before", "cat ~/notes").stdout == "kept\n"
    kim.cli("extend", "before", "1h")
    kim.cli("cancel", "before", "--yes", "--wait")
    kim.cli("reserve", "cpu", "1h", "--disk", "before")
    assert kim.ssh("before", "cat ~/notes").stdout == "kept\n"


def test_what_is_rolled_back_starts_and_serves(apart, services, kim):
    for number, service in enumerate(services):
        service.end()
        services[number] = service.start()
    apart.until_ready(*services)
    kim.cli("login", apart.address(services[0]), "--key", str(kim.key))

    assert kim.ssh("before", "cat ~/notes").stdout == "kept\n"
    kim.cli("reserve", "cpu", "1h", "--no-disk", "--name", "after")
    assert kim.ssh("after", "echo in").stdout == "in\n"


def test_the_migration_of_a_rollback_leaves_it_as_it_is(apart, kim):
    done = apart.run("migrate")

    assert done.returncode == 0, done.stderr
    assert "applied" not in done.stdout
    with psycopg.connect(apart.dsn) as conn:
        given = conn.execute("SELECT has_table_privilege('gpudev_api', 'of_later', 'SELECT')").fetchone()
    assert given == (True,)


def test_the_sweeps_go_on(apart, kim):
    assert apart.run("expiry").returncode == 0
