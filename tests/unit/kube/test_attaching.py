"""How many volumes nodes can have: as their driver says, less what others have there; what is not seen is no limit."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from gpudev_sdk import clock
from gpudev_sdk.kube import attaching, names, static
from gpudev_sdk.kube.attaching import Attaching
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.bench import rights
from tests.unit.kube.objects import INSTALL, SERVER, STRANGER

DRIVER = "disks.example"
OURS = names.server_name(INSTALL, SERVER) + static.SUFFIX


@pytest.fixture
def time(monkeypatch):
    """Return a clock that only goes on by hand."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def slow(fake):
    """Return what a thread does while a look of another one hangs, and what lets the look go on."""
    reached, going_on = threading.Event(), threading.Event()

    def hang(call):
        reached.set()
        going_on.wait(30)

    def begin(looks, pool):
        fake.trouble = hang
        looking = pool.submit(looks.volumes)
        assert reached.wait(30)
        return looking, pool.submit(looks.volumes)

    yield begin, going_on.set
    going_on.set()


def put_limit(fake, limit, name="node-a", driver=DRIVER):
    drivers = [
        {"name": "files.example"},
        {"name": driver} | ({} if limit is None else {"allocatable": {"count": limit}}),
    ]
    fake.store.create(("csinodes", "", name), {"kind": "CSINode", "metadata": {}, "spec": {"drivers": drivers}})


def attach(fake, volume, node="node-a", driver=DRIVER):
    source = {"inlineVolumeSpec": {}} if volume is None else {"persistentVolumeName": volume}
    spec = {"attacher": driver, "nodeName": node, "source": source}
    name = f"csi-{len(fake.store.objects)}"
    fake.store.create(("volumeattachments", "", name), {"kind": "VolumeAttachment", "metadata": {}, "spec": spec})


def seen(fake, driver=DRIVER):
    return Attaching(fake.api(), INSTALL, driver).volumes()


def test_a_node_can_have_what_its_driver_says(fake):
    put_limit(fake, 25)
    put_limit(fake, 7, "node-b")

    assert seen(fake) == {"node-a": 25, "node-b": 7}


def test_what_others_have_attached_there_is_taken(fake):
    put_limit(fake, 25)
    for volume in ("pvc-1", "pvc-2", None, names.server_name(STRANGER, SERVER) + static.SUFFIX):
        attach(fake, volume)

    assert seen(fake) == {"node-a": 21}


def test_what_is_elsewhere_or_of_another_driver_takes_nothing(fake):
    put_limit(fake, 25)
    attach(fake, "pvc-1", node="node-b")
    attach(fake, "pvc-2", driver="files.example")

    assert seen(fake) == {"node-a": 25}


def test_our_own_volumes_are_not_counted_twice(fake):
    put_limit(fake, 25)
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"labels": {names.INSTALL: str(INSTALL), names.PART: "disk"}}}
    fake.store.create(("persistentvolumeclaims", "gpu-dev", "home"), claim | {"spec": {"volumeName": "pvc-home"}})
    attach(fake, "pvc-home")
    attach(fake, OURS)

    assert seen(fake) == {"node-a": 25}


def test_more_than_a_node_can_have_is_none_left(fake):
    put_limit(fake, 1)
    attach(fake, "pvc-1")
    attach(fake, "pvc-2")

    assert seen(fake) == {"node-a": 0}


@pytest.mark.parametrize(
    "put",
    [lambda fake: None, lambda fake: put_limit(fake, None), lambda fake: put_limit(fake, 9, driver="files.example")],
    ids=["no object", "no count", "another driver"],
)
def test_a_node_whose_driver_says_nothing_has_no_known_limit(fake, put):
    put(fake)

    assert seen(fake) == {}


@pytest.mark.parametrize("resource", ["csinodes", "volumeattachments", "persistentvolumeclaims"])
@pytest.mark.parametrize("answer", ["403", "404", "cut"])
def test_a_cluster_that_does_not_tell_has_no_known_limit_and_is_no_trouble(fake, resource, answer):
    put_limit(fake, 25)
    fake.trouble = lambda call: answer if call.resource == resource else None

    assert seen(fake) == {}


def test_without_a_driver_nothing_is_asked(fake):
    put_limit(fake, 25)

    assert seen(fake, "") == {}
    assert fake.calls == []


def test_the_cluster_is_asked_now_and_then(fake, time):
    put_limit(fake, 25)
    looks = Attaching(fake.api(), INSTALL, DRIVER)
    looks.volumes()
    asked = len(fake.calls)
    attach(fake, "pvc-1")

    assert looks.volumes() == {"node-a": 25}
    assert len(fake.calls) == asked
    time[0] += attaching.LOOK
    assert looks.volumes() == {"node-a": 24}


def test_what_was_known_is_believed_for_a_while_and_then_no_more(fake, time):
    put_limit(fake, 25)
    looks = Attaching(fake.api(), INSTALL, DRIVER)
    looks.volumes()
    fake.trouble = lambda call: "503"

    time[0] += attaching.LOOK
    assert looks.volumes() == {"node-a": 25}
    time[0] += attaching.BELIEVED
    assert looks.volumes() == {}


def test_who_asks_while_another_looks_is_told_at_once_what_was_known(fake, time, slow):
    begin, go_on = slow
    put_limit(fake, 25)
    looks = Attaching(fake.api(), INSTALL, DRIVER)
    looks.volumes()
    attach(fake, "pvc-1")
    time[0] += attaching.LOOK
    with ThreadPoolExecutor(2) as pool:
        looking, asking = begin(looks, pool)
        try:
            assert asking.result(10) == {"node-a": 25}
            assert not looking.done()
        finally:
            go_on()
        assert looking.result(30) == {"node-a": 24}


def test_who_asks_while_nothing_is_known_waits_for_the_one_look_there_is(fake, time, slow):
    begin, go_on = slow
    put_limit(fake, 25)
    looks = Attaching(fake.api(), INSTALL, DRIVER)
    with ThreadPoolExecutor(2) as pool:
        looking, asking = begin(looks, pool)
        assert wait([looking, asking], 0.2).done == set()
        go_on()
        assert looking.result(30) == asking.result(30) == {"node-a": 25}
    assert [call.resource for call in fake.calls].count("csinodes") == 1


def test_compute_says_it_of_its_nodes_and_asks_for_nothing_that_its_roles_do_not_allow(bench):
    put_limit(bench.fake, 25)
    compute = bench.again(KubeSettings(volume_driver=DRIVER))

    assert {node.name: node.volumes for node in compute.nodes()} == {"node-a": 25, "node-b": None}
    assert ("list", "storage.k8s.io", "csinodes", False) in bench.asked() <= rights()


def test_compute_of_a_cluster_whose_driver_nobody_named_knows_no_limit(bench):
    put_limit(bench.fake, 25)

    assert {node.volumes for node in bench.compute.nodes()} == {None}
