"""A worker dies before and after every step and every call to the cluster that changes something; others finish its work.

Each place is died at once, the first time that it is come to, so that one life meets them all.
"""

from __future__ import annotations

import contextlib
import itertools
import time
import uuid

import pytest

from gpudev_sdk import fault
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine.alarm import Alarm
from gpudev_sdk.engine.context import Backend
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.engine.processor import Processor
from gpudev_sdk.fault import SimulatedCrash
from gpudev_sdk.kube import names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.kube.kinds import CONFIG_MAP, POD, SECRET
from gpudev_sdk.kube.storage import ClaimStorage
from gpudev_sdk.providers import Context
from tests.cluster.boxes import until
from tests.fix_engine import bench_over

LEASES_ARE_OVER = """
UPDATE reservation SET wake_at = gpudev_now(), lease_until = gpudev_now() - interval '1 s' WHERE lease_until IS NOT NULL
"""
CHANGES = ("create", "apply", "merge", "replace", "delete")


class Deaths:
    """Dies once at each place."""

    def __init__(self):
        self.places = set()

    def __call__(self, place):
        if place not in self.places:
            self.places.add(place)
            raise SimulatedCrash(place)


def mortal(api: Api, die: Deaths) -> Api:
    """Let every call that changes something be one before and after which a worker may die."""
    for name in CHANGES:

        def call(kind, *words, _do=getattr(api, name), _name=name, **more):
            part = words[0] if isinstance(words[0], str) else words[0]["metadata"]["name"]
            place = f"{_name} {kind.name}{part[57:]}"
            die(f"{place}:before")
            answer = _do(kind, *words, **more)
            die(f"{place}:after")
            return answer

        setattr(api, name, call)
    return api


@pytest.fixture
def die():
    return Deaths()


@pytest.fixture
def bench(place, store, tmp_path, die):
    """An engine whose backend is the cluster, and whose workers die."""
    install = uuid.uuid4()

    class MortalCompute(PodCompute):
        def connect(self):
            return mortal(super().connect(), die)

    class MortalStorage(ClaimStorage):
        def connect(self):
            return mortal(super().connect(), die)

    context = Context(install_id=install, name="pods", data_folder=tmp_path)
    settings = place.settings()
    backend = Backend(name="pods", compute=MortalCompute(settings, context), storage=MortalStorage(settings, context))
    made = bench_over(store, tmp_path, backend)
    while not attempt(made.claims.start):
        pass
    Inventory(made.engine).take()
    yield made
    fault.install(None)


def attempt(work, *words):
    """Do some work; say whether the worker outlived it."""
    try:
        work(*words)
    except SimulatedCrash:
        return False
    return True


@contextlib.contextmanager
def untouched(die):
    """Let nobody die for as long as the block lasts."""
    fault.install(None)
    yield
    fault.install(die)


def work_until(bench, die, reservation_id, state):
    """Let one worker after another work on a row until it is so far."""
    deadline = time.monotonic() + 240
    for number in itertools.count():
        with untouched(die):
            # Others would wait for the lease of the dead; that they do is tested elsewhere.
            bench.sql(LEASES_ARE_OVER)
            if bench.row(reservation_id).state is state:
                return
            assert time.monotonic() < deadline, bench.row(reservation_id)
        worker = Processor(bench.engine, bench.claims, Alarm(), f"worker-{number}")
        if attempt(bench.plan) and attempt(worker.handle, "reservation", reservation_id):
            time.sleep(0.2)


def count(place, kind, reservation_id):
    """Count the objects of a reservation's server."""
    selector = f"{names.RESERVATION}={reservation_id},{names.PART}=server"
    return len(place.api().list(kind, selector).items)


def test_a_life_goes_on_whatever_worker_dies_wherever(bench, die, place, kim):
    made = bench.submit(kim, gpu_type="cpu", gpus=0, disk="home", env={"TOKEN": "x"})
    fault.install(die)
    work_until(bench, die, made, State.ACTIVE)
    assert count(place, POD, made) == 1

    with untouched(die):
        bench.cancel(kim, made)
    work_until(bench, die, made, State.ENDED)

    fault.install(None)
    row = bench.row(made)
    assert (row.end_reason, row.attempt) == ("cancelled", 1)
    assert len(die.places) > 40, sorted(die.places)
    assert bench.sql("SELECT state FROM snapshot") == [{"state": "completed"}]
    assert count(place, POD, made) == 0
    # What its record owned goes a moment after it.
    until(lambda: count(place, SECRET, made) == count(place, CONFIG_MAP, made) == 0, within=5)
