"""The end of a dev server: asked for, waited for, and seen before its disk may go elsewhere."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.server import Phase, Presence
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import names
from gpudev_sdk.kube.errors import ObjectChanged
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.fake_store import now
from tests.unit.kube.objects import INSTALL, SERVER, STRANGER

NAME = names.server_name(INSTALL, SERVER)
GRAVE = [("configmaps", NAME)]
RUNNING = {"name": "box", "state": {"running": {}}}
COLLECTED = {
    "phase": "Failed",
    "containerStatuses": [RUNNING],
    "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}],
}


@pytest.fixture
def running(bench, eventually):
    """Return a bench with a box that is ready, whose kubelet does nothing more by itself."""
    bench.launch(env={"TOKEN": "hush"})
    eventually(lambda: bench.compute.observe(SERVER).phase is Phase.READY)
    bench.kubelet.idle = True
    return bench


@pytest.fixture
def copied(running, eventually):
    """Return a function that waits until compute's copy of the pod is as it is."""

    def wait():
        eventually(lambda: running.compute._view._pods.find(NAME)["metadata"] == running.pod()["metadata"])

    return wait


def stop(bench):
    bench.kubelet.stop(bench.fake.store, bench.key())


def test_it_is_buried_before_it_is_ended(running):
    before = len(running.writes())

    running.compute.terminate(SERVER)

    assert running.writes()[before:] == [
        ("delete", "configmaps", NAME),
        ("create", "configmaps", ""),
        ("delete", "pods", NAME),
    ]
    assert running.pod()["metadata"]["deletionGracePeriodSeconds"] == 30


def test_while_it_runs_its_end_is_waited_for(running, copied):
    running.compute.terminate(SERVER)
    copied()
    before, asked = running.writes(), running.pod()

    running.compute.terminate(SERVER)

    assert running.writes() == before
    assert running.pod() == asked
    assert running.compute.observe(SERVER).presence is Presence.PRESENT


def test_when_its_node_has_let_go_all_goes_but_the_tombstone(running, copied, eventually):
    running.compute.terminate(SERVER)
    stop(running)
    copied()

    running.compute.terminate(SERVER)

    assert running.left() == GRAVE
    eventually(lambda: running.compute.observe(SERVER).presence is Presence.ABSENT)
    assert running.compute.list_servers() == ()


def test_that_it_is_gone_is_known_by_the_answer_that_removed_it(running, copied):
    running.compute.terminate(SERVER)
    stop(running)
    copied()
    running.fake.stalled = True
    running.compute.terminate(SERVER)
    begun = running.compute.calls

    assert running.compute.observe(SERVER).presence is Presence.ABSENT
    assert running.compute.calls == begun


def test_one_that_is_let_go_before_its_time_is_up_is_not_said_to_be_gone(bench):
    """It has no node, and somebody gave it time to end."""
    bench.kubelet.idle = True
    bench.launch()
    bench.fake.store.merge(bench.key(), {"metadata": {"ownerReferences": None}})
    bench.fake.store.merge(bench.key(), {"metadata": {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 30}})

    bench.compute.terminate(SERVER)

    assert bench.key() in bench.fake.store.objects
    assert bench.compute.observe(SERVER).presence is Presence.PRESENT


def test_it_is_not_absent_before_its_pod_is_gone(running, copied):
    running.compute.terminate(SERVER)
    stop(running)
    copied()

    assert running.compute.observe(SERVER).phase is Phase.FINISHED


def test_a_box_that_was_deleted_by_force_while_it_runs_is_kept(running, copied):
    running.fake.store.delete(running.key(), grace=0)
    copied()

    running.compute.terminate(SERVER)
    running.compute.terminate(SERVER)

    assert running.pod()["metadata"]["finalizers"] == [names.FINALIZER]
    assert running.compute.observe(SERVER).presence is Presence.PRESENT


def test_a_box_on_a_node_whose_object_was_deleted_is_kept(running, copied):
    running.fake.store.delete(("nodes", "", "node-a"))
    running.fake.store.change(running.key(), status=COLLECTED)
    running.fake.store.delete(running.key(), grace=0)
    copied()

    running.compute.terminate(SERVER)

    assert running.pod()["metadata"]["finalizers"] == [names.FINALIZER]


def test_where_a_deleted_node_is_off_its_box_is_gone(running, eventually):
    running.fake.store.change(running.key(), status=COLLECTED)
    running.fake.store.delete(running.key(), grace=0)
    compute = running.again(KubeSettings(deleted_nodes_are_off=True))

    compute.terminate(SERVER)

    assert running.left() == GRAVE


def test_a_box_that_no_node_ever_had_goes_at_once(bench, eventually):
    bench.kubelet.idle = True
    bench.launch()

    def is_gone():
        bench.compute.terminate(SERVER)
        return bench.compute.observe(SERVER).presence is Presence.ABSENT

    eventually(is_gone)
    assert bench.left() == GRAVE


def test_finalizers_of_others_stay(running, copied):
    running.fake.store.merge(running.key(), {"metadata": {"finalizers": ["other.io/x", names.FINALIZER]}})
    running.compute.terminate(SERVER)
    stop(running)
    copied()

    running.compute.terminate(SERVER)

    assert running.pod()["metadata"]["finalizers"] == ["other.io/x"]
    assert running.compute.observe(SERVER).presence is Presence.PRESENT


def test_a_pod_that_somebody_freed_is_cleared_away(running, copied):
    running.compute.terminate(SERVER)
    copied()
    running.fake.store.remove(running.key())
    running.fake.store.create(running.key(), {"kind": "Pod", "metadata": {}, "spec": {}})
    running.fake.store.remove(running.key())

    running.compute.terminate(SERVER)
    running.compute.terminate(SERVER)

    assert not any(kind == "pods" for kind, _ in running.left())


def test_a_launch_that_was_cut_short_is_cleared_away(bench):
    bench.fake.trouble = lambda call: "503" if (call.verb, call.resource) == ("create", "pods") else None
    with pytest.raises(TryLater):
        bench.launch(env={"TOKEN": "hush"})
    bench.fake.trouble = lambda call: None
    assert bench.compute.list_servers() == (SERVER,)

    bench.compute.terminate(SERVER)

    assert bench.left() == GRAVE


def test_ending_what_is_gone_is_silent(bench):
    for _ in range(3):
        bench.compute.terminate(SERVER)

    assert bench.left() == GRAVE


def test_an_end_is_written_down_once_by_each_process(bench):
    bench.compute.terminate(SERVER)
    bench.compute.terminate(SERVER)
    bench.again().terminate(SERVER)

    assert bench.writes().count(("create", "configmaps", "")) == 2


def test_another_installs_pod_of_the_same_name_is_not_touched(bench):
    labels = names.server_labels(STRANGER, SERVER)
    bench.fake.store.create(bench.key(), {"kind": "Pod", "metadata": {"labels": labels}, "spec": {}})
    made = bench.pod()

    bench.compute.terminate(SERVER)
    bench.compute.configure(SERVER, {"notice": b"x"})

    assert bench.pod() == made
    assert bench.compute.observe(SERVER).presence is Presence.ABSENT


def test_another_install_ends_nothing_of_ours(running):
    made = running.pod()

    running.again(context=attrs.evolve(running.context, install_id=STRANGER)).terminate(SERVER)

    assert running.pod() == made


def replace_pod(bench):
    """Put another pod of ours in the place of the one that compute saw, without its hearing of it."""
    bench.fake.stalled = True
    labels = bench.pod()["metadata"]["labels"]
    bench.fake.store.remove(bench.key())
    plain = {"kind": "Pod", "metadata": {"labels": labels, "finalizers": [names.FINALIZER]}, "spec": {}}
    return bench.fake.store.create(bench.key(), plain)


def test_a_pod_that_was_made_anew_is_not_deleted_for_the_old_one(running):
    made = replace_pod(running)

    with pytest.raises(ObjectChanged):
        running.compute.terminate(SERVER)

    assert running.pod() == made


def test_a_pod_that_was_made_anew_is_not_freed_for_the_old_one(running, copied):
    running.compute.terminate(SERVER)
    stop(running)
    copied()
    made = replace_pod(running)

    with pytest.raises(ObjectChanged):
        running.compute.terminate(SERVER)

    assert running.pod() == made


def test_a_pod_that_changed_meanwhile_is_not_freed_by_what_was_known(running, copied):
    running.compute.terminate(SERVER)
    stop(running)
    copied()
    running.fake.stalled = True
    running.fake.store.change(running.key(), status={"phase": "Running"})

    with pytest.raises(ObjectChanged):
        running.compute.terminate(SERVER)

    assert running.pod()["metadata"]["finalizers"] == [names.FINALIZER]
