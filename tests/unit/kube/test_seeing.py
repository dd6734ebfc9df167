"""What a pod says of the server in it."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.server import Phase, Presence, Sighting
from gpudev_sdk.kube.seeing import see
from tests.unit.kube.objects import NOW, before, container, node, placed, pod

WELL = node()
UNWELL = node(status={"conditions": [{"type": "Ready", "status": "Unknown"}]})
DELETED = {"deletionTimestamp": before(5), "deletionGracePeriodSeconds": 30}


def unplaced(seconds: float, reason: str = "0/3 nodes are available"):
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": reason,
        "lastTransitionTime": before(seconds),
    }
    return pod(status={"conditions": [condition]})


def waits(reason: str, seconds: float, *, message: str = "", init: bool = False):
    waiting = container("tools" if init else "box", waiting={"reason": reason, "message": message})
    which = "initContainerStatuses" if init else "containerStatuses"
    return placed("Pending", status={"startTime": before(seconds), which: [waiting]})


def ended(**how):
    return {"exitCode": 0, "reason": "Completed", "finishedAt": before(60)} | how


def said(pod, node=WELL):
    seen = see(pod, node, NOW)
    return seen.phase, seen.reason


def test_a_ready_box_is_where_its_address_and_files_are():
    assert see(placed("Running", container(running={})), WELL, NOW) == Sighting(
        presence=Presence.PRESENT,
        phase=Phase.READY,
        endpoint="tcp:10.1.0.7:2222",
        files_digest="digest",
        started_at=NOW - dt.timedelta(seconds=500),
    )


STARTING = [
    (pod(), "waiting for the scheduler"),
    (unplaced(10), "no place: 0/3 nodes are available"),
    (unplaced(119), "no place: 0/3 nodes are available"),
    (placed("Pending"), "bringing disk and tools"),
    (waits("PodInitializing", 900), "bringing disk and tools"),
    (
        placed("Pending", status={"initContainerStatuses": [container("tools", terminated=ended())]}),
        "bringing the image",
    ),
    (waits("ErrImagePull", 30, message="no such tag"), "the image ubuntu:24.04 cannot be had: no such tag"),
    (waits("ImagePullBackOff", 119), "the image ubuntu:24.04 cannot be had: ImagePullBackOff"),
    (waits("ErrImagePull", 30, init=True), "the image ubuntu:24.04 cannot be had: ErrImagePull"),
    (waits("CreateContainerConfigError", 30, message="no such secret"), "the box cannot start: no such secret"),
    (placed("Running", container(running={}, started=False)), "its SSH server starts"),
    (
        placed("Running", container(waiting={"reason": "CrashLoopBackOff"}, last=ended(exitCode=1, reason="Error"))),
        "it ended (Error with status 1), and starts again",
    ),
    (placed("Running"), "it ended (no reason given), and starts again"),
    (
        placed("Running", container(running={}), metadata=DELETED),
        "it was ended from outside, and is stopping",
    ),
    (pod(metadata=DELETED), "it was ended from outside, and is stopping"),
]


@pytest.mark.parametrize(("pod", "reason"), STARTING, ids=[f"{number}" for number in range(len(STARTING))])
def test_what_may_still_become_a_box_is_starting_and_says_how_far_it_is(pod, reason):
    assert said(pod) == (Phase.STARTING, reason)


FINISHED = [
    (unplaced(121), "no place: 0/3 nodes are available"),
    (waits("ErrImagePull", 121, message="no such tag"), "the image ubuntu:24.04 cannot be had: no such tag"),
    (waits("ImagePullBackOff", 900), "the image ubuntu:24.04 cannot be had: ImagePullBackOff"),
    (waits("InvalidImageName", 121, init=True), "the image ubuntu:24.04 cannot be had: InvalidImageName"),
    (waits("RunContainerError", 121), "the box cannot start: RunContainerError"),
    (placed("Succeeded"), "its pod ended"),
    (placed("Succeeded", container(terminated=ended())), "Completed with status 0"),
    (
        placed("Failed", status={"reason": "Evicted", "message": "The node was low on ephemeral-storage."}),
        "Evicted: The node was low on ephemeral-storage.",
    ),
    (placed("Failed", container(terminated=ended(reason="OOMKilled", exitCode=137))), "it ran out of memory"),
    (
        placed("Failed", container(terminated=ended(reason="Error", exitCode=1, message="one\ntwo\n"))),
        "Error with status 1: two",
    ),
    (
        placed("Failed", status={"conditions": [
            {"type": "DisruptionTarget", "status": "True", "message": "preempted for a higher priority"}]}),
        "preempted for a higher priority",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("pod", "reason"), FINISHED, ids=[f"{number}" for number in range(len(FINISHED))])
def test_what_becomes_no_box_any_more_is_finished_and_says_why(pod, reason):
    assert said(pod) == (Phase.FINISHED, reason)


@pytest.mark.parametrize(
    ("pod", "node", "reason"),
    [
        (placed("Running", container(running={})), UNWELL, "node-a does not report"),
        (placed("Running", container(running={})), None, "the node node-a is gone"),
        (placed("Pending"), None, "the node node-a is gone"),
        (placed("Running", container(running={}), metadata=DELETED), UNWELL, "node-a does not report"),
        (placed("Unknown", container(running={})), WELL, "node-a does not report"),
        (pod(status={"phase": "Unknown"}), WELL, "its node does not report"),
    ],
)
def test_a_box_on_a_node_that_nobody_sees_is_unknown(pod, node, reason):
    assert see(pod, node, NOW) == Sighting.unknown(reason)


@pytest.mark.parametrize(
    ("restarts", "times"),
    [(1, "once"), (3, "3 times")],
)
def test_restarts_are_counted_with_the_last_reason(restarts, times):
    last = ended(reason="OOMKilled", exitCode=137)
    found = placed("Running", container(running={}, restarts=restarts, last=last))

    reason = f"started again {times}, the last time because it ran out of memory at {before(60)}"
    assert said(found) == (Phase.READY, reason)


def test_a_box_that_is_not_ready_has_no_endpoint():
    assert see(placed("Running", container(running={}, started=False)), WELL, NOW).endpoint is None


def test_a_container_that_somebody_put_in_is_not_the_box():
    found = placed("Running", container("debugger", running={}), container(running={}, started=False))

    assert said(found) == (Phase.STARTING, "its SSH server starts")


def test_an_endless_reason_is_cut():
    assert len(said(placed("Failed", status={"message": "x" * 5000}))[1]) == 400


ALL = [each for each, _ in (*STARTING, *FINISHED)]


@pytest.mark.parametrize("node", [WELL, UNWELL, None], ids=["well", "unwell", "gone"])
@pytest.mark.parametrize("pod", ALL, ids=[f"{number}" for number in range(len(ALL))])
def test_a_pod_that_is_there_is_never_absent(pod, node):
    assert see(pod, node, NOW).presence is not Presence.ABSENT
