"""The world of the model: small limits, so that they are met, and stores for which time stands still."""

from __future__ import annotations

import attrs
import psycopg
import pytest

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded.passwords import SUPERUSER
from tests.fix_engine import HOUR, build_bench
from tests.model import reference
from tests.model.world import ChangingCompute, StandingStore, World


def _opened(database, role):
    store = StandingStore(database.dsn(role))
    store.open()
    yield store
    store.close()


@pytest.fixture
def store(database):
    """The engine's store."""
    yield from _opened(database, roles.ENGINE)


@pytest.fixture
def api_store(database):
    """The API's store."""
    yield from _opened(database, roles.API)


@pytest.fixture
def bench(store, tmp_path):
    """An engine with the limits that the model knows."""
    limits = Limits(
        max_duration=5 * HOUR, max_total=6 * HOUR, max_gpus_per_user=reference.GPUS, max_reservations_per_user=reference.BOXES,
        max_disks_per_user=reference.DISKS,
    )  # fmt: skip
    made = build_bench(store, tmp_path, limits=limits)
    made.engine.backends["mem"] = attrs.evolve(made.engine.backends["mem"], compute=ChangingCompute(made.memory))
    made.claims.start()
    Inventory(made.engine).take()
    return made


@pytest.fixture
def world(database, bench, api, kim, lee):
    """All of it."""
    with psycopg.connect(database.dsn(SUPERUSER), autocommit=True) as probe:
        probe.execute("SET session_replication_role = replica")
        yield World(bench, api, {"kim": kim, "lee": lee}, probe)
