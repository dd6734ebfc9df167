"""Compute and storage of one backend look through one view, which ends with them."""

from __future__ import annotations

import gc
import weakref

import attrs
import pytest

from gpudev_sdk.domain.disk import VolumeRef
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.bench import FakeCompute, FakeStorage
from tests.unit.kube.objects import RESERVATION, SERVER

VOLUME = VolumeRef(volume_id=RESERVATION, disk_id=RESERVATION)


@pytest.fixture
def made(bench):
    """Return a function that builds compute and storage as one process does; what is left of them ends with the test."""
    built = weakref.WeakSet()

    def build(settings=None, context=None, kind=FakeStorage):
        of = (bench.fake, settings or bench.settings, context or attrs.evolve(bench.context))
        pair = FakeCompute(*of), kind(*of)
        built.update(pair)
        return pair

    yield build
    for each in built:
        each._view.stop()


class Elsewhere(FakeStorage):
    """Storage that reaches its cluster in another way."""

    def connect(self):
        return self._fake.api(self._settings.namespace)


def test_compute_and_storage_of_one_backend_share_connections_and_copies(made):
    compute, storage = made()

    assert storage._view is compute._view
    assert storage._api is compute._api


def test_pods_are_listed_once_for_both(bench, made):
    compute, storage = made()
    compute.observe(SERVER)
    storage.get_volume(VOLUME)

    whole = [call for call in bench.fake.calls if (call.verb, call.resource) == ("list", "pods") and call.namespace]
    assert [call.options.get("labelSelector", "") for call in whole].count("") == 1


def test_nothing_is_asked_before_the_first_question(bench, made):
    compute, storage = made()

    assert (compute._view, bench.fake.calls) == (storage._view, [])


def test_compute_alone_copies_no_disks(bench, made):
    compute, _ = made()
    compute.observe(SERVER)

    assert {call.resource for call in bench.fake.calls} <= {"pods", "nodes"}


def test_what_is_built_with_another_context_shares_nothing(bench, made):
    (first, _), (second, _) = made(context=attrs.evolve(bench.context)), made(context=attrs.evolve(bench.context))

    assert first._view is not second._view


def test_storage_that_reaches_its_cluster_in_another_way_has_its_own_view(made):
    compute, storage = made(kind=Elsewhere)

    assert storage._view is not compute._view


@pytest.mark.parametrize("changes", [{"namespace": "other"}, {"context": "other"}, {"kubeconfig": "/other"}])
def test_storage_of_another_place_has_its_own_view(bench, made, changes):
    context = attrs.evolve(bench.context)
    (compute, _), (_, storage) = made(context=context), made(KubeSettings(**changes), context)

    assert storage._view is not compute._view


def test_the_copies_end_with_whoever_looked(bench, made, eventually):
    compute, storage = made()
    compute.observe(SERVER)
    storage.get_volume(VOLUME)
    view = compute._view
    threads = [view._pods._thread, *(mirror._thread for mirror in view._kept.values() if mirror._thread)]
    del view, compute
    gc.collect()
    assert not any(thread is None or not thread.is_alive() for thread in threads)

    del storage
    gc.collect()
    bench.fake.cut_watches()

    eventually(lambda: not any(thread.is_alive() for thread in threads))


def test_no_copy_keeps_a_process_from_ending(made):
    compute, storage = made()
    compute.observe(SERVER)
    storage.get_volume(VOLUME)

    assert compute._view._pods._thread.daemon
    assert all(mirror._thread.daemon for mirror in storage._view._kept.values() if mirror._thread)
