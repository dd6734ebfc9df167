"""A stage for sessions: one engine over a store in which they stop, and a clean table after each order."""

from __future__ import annotations

import attrs
import psycopg
import pytest

from gpudev_sdk.engine import accounts
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded.passwords import SUPERUSER
from tests.contract.two_sessions.scenes import Theatre
from tests.contract.two_sessions.sessions import StoppingStore
from tests.fix_engine import build_bench


@pytest.fixture
def theatre(database, tmp_path):
    """An engine that has seen its backend, two people, and a way to begin again."""
    stores = [StoppingStore(database.dsn(role)) for role in (roles.ENGINE, roles.API)]
    for store in stores:
        store.open()
    bench = build_bench(stores[0], tmp_path)
    api = attrs.evolve(bench, engine=attrs.evolve(bench.engine, store=stores[1]))
    bench.claims.start()
    Inventory(bench.engine).take()
    people = [accounts.add_user(bench.engine, name, None) for name in ("kim", "lee")]
    with psycopg.connect(database.dsn(SUPERUSER), autocommit=True) as probe:
        # It puts rows back whatever the schema's laws say of that.
        probe.execute("SET session_replication_role = replica")
        probe.execute("CREATE SCHEMA kept")
        theatre = Theatre(bench, api, probe, *people)
        theatre.keep()
        yield theatre
    for store in stores:
        store.close()
