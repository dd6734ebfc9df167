"""Backends whose compute and storage are of different plugins, built from a configuration as a server builds them."""

from __future__ import annotations

import time
import tomllib

import pytest

from gpudev_sdk import clock, config
from gpudev_sdk.engine import accounts
from gpudev_sdk.engine.context import Backend
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.providers import Context
from gpudev_sdk.store import ids, people
from tests.fix_engine import bench_over
from tests.places.world import CREDENTIALS, EAST, WEST, build_world


@pytest.fixture(scope="session")
def world():
    yield from build_world()


@pytest.fixture(autouse=True)
def credentials(monkeypatch, tmp_path):
    """Credentials that are no one's, and nothing of whoever runs the tests."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture
def passing():
    """Return a function that lets seconds pass on the clock of this process."""
    ahead = [0.0]
    clock.install(lambda: time.monotonic() + ahead[0])

    def let_pass(seconds):
        ahead[0] += seconds

    yield let_pass
    clock.install(None)


@pytest.fixture
def settings(world, tmp_path):
    """Return the settings of each provider, by its name; a claim of `kube` is made in the cluster that is named."""
    tables = tomllib.loads(world.config(tmp_path))["backends"]
    aws, gcp = tables[EAST]["aws"], tables[WEST]["gcp"]

    def of(name, cluster):
        kube = {"kubeconfig": {"aws": aws, "gcp": gcp}.get(cluster, aws)["kubeconfig"]}
        local = {"pretend": "h100:2", "free_floor_bytes": 1}
        return {"aws": aws, "gcp": gcp, "kube": kube, "local": local}[name]

    return of


@pytest.fixture
def context(store, tmp_path):
    with store.transaction() as conn:
        conn.execute(people.Q["make_install"], {"id": ids.new()})
        install = people.install(conn)["id"]
    return Context(install_id=install, name="mixed", data_folder=tmp_path)


@pytest.fixture
def mixed(store, tmp_path, context, settings):
    """Return what makes an engine over a backend of the compute and the storage named, or of a storage that is given."""
    built = []

    def both_of(name, compute):
        made = config.build_backend({"compute": name, "storage": name, name: settings(name, compute)}, context)
        built.extend(made)
        return made

    def build(compute, storage):
        kept = both_of(storage, compute)[1] if isinstance(storage, str) else storage
        made = Backend(name="mixed", compute=both_of(compute, compute)[0], storage=kept)
        bench = bench_over(store, tmp_path, made)
        bench.claims.start()
        Inventory(bench.engine).take()
        return bench

    yield build
    for each in built:
        _let_go(each)


@pytest.fixture
def lived(store):
    """Return what asks for a box with a disk and works at it until it is as is wished."""

    def live(bench, wish, **asked):
        kim = accounts.add_user(bench.engine, "kim", None)
        made = bench.submit(kim, disk="work", **asked)
        work_until(bench, made, wish)
        return kim, made

    return live


def work_until(bench, made, wish, seconds=60.0):
    """Work at a reservation until its row is as is wished: copies of a cluster are a moment behind."""
    deadline = time.monotonic() + seconds
    while not wish(bench.row(made)):
        assert time.monotonic() < deadline, bench.row(made)
        bench.work(made)


def _let_go(provider):
    """Close what a provider opened."""
    if getattr(provider, "_seen", None) is not None:
        provider._view.stop()
        provider._view.api._client.rest_client.pool_manager.clear()
    for name in ("session", "_session"):
        session = getattr(provider, name, None)
        if session is not None:
            session.close()
