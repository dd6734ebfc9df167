"""A failing API server: nothing is made twice, nothing is left, and nothing is absent that was not seen to be."""

from __future__ import annotations

import pytest

from gpudev_sdk.domain.server import Phase, Presence, ServerId
from gpudev_sdk.errors import NoCapacity, ProviderError, TryLater, Unworkable
from gpudev_sdk.kube import names
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.bench import Nth, rights
from tests.unit.kube.objects import INSTALL, RESERVATION, SERVER

NAME = names.server_name(INSTALL, SERVER)
OTHER = ServerId(RESERVATION, 2)
GRAVE = [("configmaps", NAME)]
#: Calls of a launch that change something.
LAUNCH = 7
FAULTS = ["cut", "half", "page", "page-200", "404", "500", "503", "429", "401", "403", "410"]


def until_done(call):
    """Make a call again and again until it succeeds, as the engine does."""
    for _ in range(5):
        try:
            return call()
        except TryLater:
            continue
    raise AssertionError("it never succeeded")


def is_gone(bench):
    bench.compute.terminate(SERVER)
    return bench.compute.observe(SERVER).presence is Presence.ABSENT


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
@pytest.mark.parametrize("number", range(1, LAUNCH + 1))
def test_a_launch_that_fails_at_any_call_and_is_repeated_makes_one_box(bench, number, what):
    bench.fake.trouble = Nth(number, what)

    until_done(lambda: bench.launch(env={"TOKEN": "hush"}))

    assert len(bench.pods()) == 1
    assert bench.left() == [
        ("configmaps", NAME), ("pods", NAME), ("secrets", f"{NAME}-env"), ("secrets", f"{NAME}-files"),
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["cut", "lose"])
@pytest.mark.parametrize("number", range(1, LAUNCH + 1))
def test_a_launch_that_fails_at_any_call_and_is_given_up_leaves_a_tombstone_alone(bench, eventually, number, what):
    bench.fake.trouble = Nth(number, what)
    with pytest.raises(TryLater):
        bench.launch(env={"TOKEN": "hush"})
    bench.again()

    eventually(lambda: is_gone(bench))

    assert bench.left() == GRAVE


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
@pytest.mark.parametrize("number", range(1, 5))
def test_an_end_that_fails_at_any_call_and_is_repeated_is_whole(bench, eventually, number, what):
    bench.launch(env={"TOKEN": "hush"})
    bench.fake.trouble = Nth(number, what)

    eventually(lambda: until_done(lambda: is_gone(bench)))

    assert bench.left() == GRAVE
    bench.launch()
    assert bench.left() == GRAVE


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
@pytest.mark.parametrize("number", [1, 2])
def test_files_that_fail_to_be_put_and_are_repeated_are_whole(bench, number, what):
    bench.launch()
    bench.fake.trouble = Nth(number, what)

    until_done(lambda: bench.compute.configure(SERVER, {"notice": b"2"}))

    assert set(bench.fake.store.get(bench.key(kind="secrets", end="-files"))["data"]) == {"notice"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_box_that_cannot_be_looked_for_is_never_absent(bench, fault):
    bench.fake.trouble = lambda call: fault

    with pytest.raises(TryLater):
        bench.compute.observe(SERVER)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_box_that_can_be_seen_no_more_is_never_absent(bench, eventually, passing, fault):
    bench.launch()
    eventually(lambda: bench.compute.observe(SERVER).phase is Phase.READY)
    bench.fake.trouble = lambda call: fault
    bench.fake.cut_watches()
    passing(60)

    with pytest.raises(TryLater):
        bench.compute.observe(SERVER)


def test_a_moment_without_the_server_does_not_hide_what_was_just_seen(bench, eventually):
    bench.launch()
    eventually(lambda: bench.compute.observe(SERVER).phase is Phase.READY)

    bench.fake.trouble = lambda call: "503"

    assert bench.compute.observe(SERVER).phase is Phase.READY


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("look", ["nodes", "gpu_types", "list_servers", "list_instances", "read_claim"])
def test_a_failing_server_is_never_an_empty_cluster(bench, look, fault):
    bench.fake.trouble = lambda call: fault

    with pytest.raises(TryLater):
        getattr(bench.compute, look)()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_looked_for_is_not_ended_on_a_guess(bench, fault):
    bench.launch()
    made = bench.pod()
    bench.again()
    bench.fake.trouble = lambda call: fault if call.resource == "pods" else None

    with pytest.raises(TryLater):
        bench.compute.terminate(SERVER)

    assert bench.pod() == made
    assert ("configmaps", NAME) in bench.left()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_tombstone_that_cannot_be_looked_at_keeps_from_launching(bench, fault):
    bench.compute.terminate(SERVER)
    bench.again()
    bench.fake.trouble = lambda call: fault if (call.verb, call.resource) == ("get", "configmaps") else None

    with pytest.raises(TryLater):
        bench.launch()

    assert bench.left() == GRAVE


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("is forbidden: exceeded quota: gpus, requested: 2, used: 4, limited: 4", NoCapacity),
        ('is forbidden: violates PodSecurity "restricted:latest"', Unworkable),
        ('pods is forbidden: User "gpudev" cannot create resource "pods"', TryLater),
    ],
)
def test_a_pod_that_the_cluster_refuses_is_cleared_away_with_its_end(bench, message, kind):
    bench.fake.refuse = {("create", "pods"): (403, "Forbidden", message)}

    with pytest.raises(ProviderError) as raised:
        bench.launch(env={"TOKEN": "hush"})
    bench.compute.terminate(SERVER)

    assert type(raised.value) is kind
    assert bench.left() == GRAVE


def test_without_the_right_to_see_others_ours_are_counted(bench):
    everywhere = ("list", "pods", "")
    bench.fake.trouble = lambda call: "403" if (call.verb, call.resource, call.namespace) == everywhere else None
    bench.launch()

    assert [node.name for node in bench.compute.nodes()] == ["node-a", "node-b"]
    assert bench.compute.describe()["pods of others"] == "not seen; the scheduler decides"


def test_pods_of_others_are_busy_where_they_are_seen(bench):
    box = {"name": "any", "resources": {"requests": {"nvidia.com/gpu": "3"}}}
    theirs = {"kind": "Pod", "metadata": {}, "spec": {"nodeName": "node-a", "containers": [box]}}
    bench.fake.store.create(("pods", "elsewhere", "theirs"), theirs)

    def busy(compute):
        return [slot.index for node in compute.nodes() for slot in node.slots if slot.busy_outside]

    assert busy(bench.compute) == [1, 2, 3]
    assert busy(bench.again(KubeSettings(count_others=False))) == []


def live(bench, eventually):
    """Lead the whole life of a server."""
    bench.launch(env={"TOKEN": "hush"})
    eventually(lambda: bench.compute.observe(SERVER).phase is Phase.READY)
    bench.compute.configure(SERVER, {"notice": b"soon\n"})
    bench.kubelet.idle = True
    bench.compute.terminate(SERVER)
    eventually(lambda: "ended" in bench.compute.observe(SERVER).reason)
    bench.kubelet.stop(bench.fake.store, bench.key())
    eventually(lambda: bench.compute._view._pods.find(NAME)["metadata"] == bench.pod()["metadata"])
    bench.compute.terminate(SERVER)
    assert bench.compute.observe(SERVER).presence is Presence.ABSENT


def test_a_whole_life_takes_at_most_thirteen_calls(bench, eventually):
    """The first of a process at that, which applies the policies; what all lives share, it has looked at before."""
    bench.compute.nodes()
    bench.compute.observe(OTHER)
    begun = bench.compute.calls

    live(bench, eventually)

    assert bench.compute.calls - begun <= 13


def test_looking_again_takes_no_call(bench, eventually):
    bench.launch()
    eventually(lambda: bench.compute.observe(SERVER).phase is Phase.READY)
    bench.compute.nodes()
    begun = bench.compute.calls

    for _ in range(50):
        bench.compute.observe(SERVER)
        bench.compute.nodes()

    assert bench.compute.calls == begun


def test_every_call_of_a_life_is_within_the_engines_rights(bench, eventually):
    live(bench, eventually)
    bench.compute.list_servers()
    bench.compute.read_claim()

    assert bench.asked() - rights() == set()


def test_a_profile_that_is_offered_no_more_is_not_given_to_who_waited_for_it(bench):
    """It was asked for while the operator offered it."""
    with pytest.raises(Unworkable, match="no profile 'root' here any more"):
        bench.launch(profile="root")

    assert bench.left() == []
