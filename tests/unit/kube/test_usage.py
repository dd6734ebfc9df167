"""What pods take of their nodes."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube import names, usage
from tests.unit.kube.objects import GPU, INSTALL, STRANGER, container, merged, placed, pod


def asks(**amounts):
    return {
        "name": "any",
        "resources": {"requests": {name.replace("gpu", GPU): text for name, text in amounts.items()}},
    }


def others(*containers, **changes):
    found = placed("Running", metadata={"labels": {names.INSTALL: str(STRANGER)}})
    return merged(found, {"spec": {"containers": list(containers)}}, changes)


def count(*pods):
    return usage.count([usage.trim(each) for each in pods], INSTALL)


def test_containers_of_a_pod_are_added():
    assert usage.requests_of({"containers": [asks(cpu="500m", gpu="1"), asks(cpu="2")]}) == {"cpu": 2.5, GPU: 1.0}


def test_init_containers_run_one_by_one_so_the_largest_counts():
    spec = {"containers": [asks(cpu="1", memory="1G")], "initContainers": [asks(cpu="3"), asks(cpu="2")]}

    assert usage.requests_of(spec) == {"cpu": 3.0, "memory": 1e9}


def test_an_init_container_that_goes_on_running_is_added():
    spec = {"containers": [asks(cpu="1")], "initContainers": [asks(cpu="2") | {"restartPolicy": "Always"}]}

    assert usage.requests_of(spec) == {"cpu": 3.0}


def test_a_runtimes_overhead_is_added():
    assert usage.requests_of({"containers": [asks(cpu="1")], "overhead": {"cpu": "250m"}}) == {"cpu": 1.25}


def test_a_pod_that_asks_for_nothing_takes_nothing():
    assert usage.requests_of({"containers": [{"name": "any"}]}) == {}


def test_pods_of_others_are_added_up_by_node():
    found = count(others(asks(cpu="1", gpu="2")), others(asks(cpu="2")))

    assert found == usage.Usage(taken={"node-a": {"cpu": 3.0, GPU: 2.0}})


def test_another_install_is_somebody_else():
    assert count(others(asks(gpu="1"))).others("node-a") == {GPU: 1.0}


def test_our_pods_hold_their_slots_and_take_nothing():
    found = count(placed("Running", container(running={})))

    assert found == usage.Usage(slots={("node-a", "h100"): frozenset({0, 1})})


def test_slots_of_our_pods_on_one_node_come_together():
    one = placed("Running", metadata={"annotations": {names.SLOTS: "5"}})
    two = placed("Pending", metadata={"annotations": {names.SLOTS: "0"}})

    assert count(one, two).held("node-a", "h100") == {0, 5}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_ended_takes_and_holds_nothing(phase):
    ended = others(asks(gpu="1"), status={"phase": phase})

    assert count(ended, placed(phase)) == usage.Usage()


def test_a_pod_that_no_node_has_yet_takes_and_holds_nothing():
    assert count(pod(), pod(metadata={"labels": {names.INSTALL: str(STRANGER)}})) == usage.Usage()


def test_what_is_kept_of_a_pod_is_enough_to_count_it_and_no_more():
    whole = merged(others(asks(cpu="1")), {"metadata": {"managedFields": ["large"], "annotations": {"other": "large"}}})

    assert usage.trim(whole) == {
        "metadata": {
            "name": whole["metadata"]["name"],
            "namespace": "gpu-dev",
            "resourceVersion": "7",
            "labels": whole["metadata"]["labels"],
            "annotations": {names.SLOTS: "0,1"},
        },
        "node": "node-a",
        "phase": "Running",
        "requests": {"cpu": 1.0},
    }


def test_a_node_without_pods_is_untouched():
    assert (usage.Usage().others("node-a"), usage.Usage().held("node-a", "h100")) == ({}, frozenset())


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", ","])
def test_slots_that_somebody_wrote_over_are_none(text):
    assert count(placed("Running", metadata={"annotations": {names.SLOTS: text}})).held("node-a", "h100") == frozenset()
