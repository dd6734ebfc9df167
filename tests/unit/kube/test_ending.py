"""When a pod's node has let go of the box, so that its disk may go elsewhere."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube.ending import has_let_go, may_run_unseen
from tests.unit.kube.objects import before, container, placed, pod

ASKED = {"deletionTimestamp": before(5), "deletionGracePeriodSeconds": 30}
OVER = {"deletionTimestamp": before(5), "deletionGracePeriodSeconds": 0}
BOX_RUNS, BOX_WAITS = container(running={}), container(waiting={"reason": "PodInitializing"})
BOX_ENDED = container(terminated={"exitCode": 0})
COLLECTED = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}]}
EVICTED = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}]}


@pytest.mark.parametrize(
    ("pod", "let_go"),
    [
        (pod(), False),
        (pod(metadata=OVER), True),
        (placed("Running", BOX_RUNS), False),
        (placed("Failed", BOX_ENDED), False),
        (placed("Pending", BOX_WAITS, metadata=OVER), False),
        (placed("Running", BOX_RUNS, metadata=ASKED), False),
        (placed("Running", BOX_RUNS, metadata=OVER), False),
        (placed("Running", BOX_ENDED, metadata=OVER), False),
        (placed("Unknown", BOX_ENDED, metadata=OVER), False),
        (placed("Succeeded", BOX_ENDED, metadata=ASKED), False),
        (placed("Succeeded", BOX_ENDED, metadata={"deletionTimestamp": before(5)}), False),
        (placed("Succeeded", BOX_ENDED, metadata=OVER), True),
        (placed("Failed", BOX_ENDED, metadata=OVER), True),
        (placed("Failed", BOX_ENDED, metadata=OVER, status=EVICTED), True),
        (placed("Failed", BOX_ENDED, metadata=OVER, status=COLLECTED), True),
        (placed("Failed", BOX_RUNS, metadata=OVER, status=COLLECTED), False),
        (placed("Failed", BOX_WAITS, metadata=OVER, status=COLLECTED), False),
        (placed("Failed", BOX_ENDED, BOX_RUNS, metadata=OVER, status=COLLECTED), False),
        (placed("Failed", BOX_ENDED, metadata=OVER, status=COLLECTED | {"initContainerStatuses": [BOX_RUNS]}), False),
    ],
    ids=[
        "nobody ended it",
        "no node ever had it",
        "it runs",
        "it ended by itself and is still there",
        "deleted by force before it began",
        "asked to end",
        "deleted by force while it runs",
        "its containers ended and their volumes may be mounted",
        "its node does not report",
        "it ended and has its grace left",
        "it ended and nobody says what grace is left",
        "it ended",
        "it ended badly",
        "its node evicted it",
        "it ended and then its node's object was deleted",
        "its node's object was deleted while it runs",
        "its node's object was deleted while it starts",
        "its node's object was deleted while one container runs",
        "its node's object was deleted while an init container runs",
    ],
)
def test_a_node_has_let_go_only_when_that_was_seen(pod, let_go):
    assert has_let_go(pod, gone_is_off=False) is let_go


def test_where_a_deleted_node_is_off_its_boxes_have_ended():
    assert has_let_go(placed("Failed", BOX_RUNS, metadata=OVER, status=COLLECTED), gone_is_off=True)


@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown"])
def test_also_there_a_box_whose_node_is_there_must_be_seen_to_end(phase):
    assert not has_let_go(placed(phase, BOX_RUNS, metadata=OVER), gone_is_off=True)


def test_a_pod_that_was_collected_with_its_node_may_run_unseen_until_its_containers_ended():
    assert may_run_unseen(placed("Failed", BOX_RUNS, status=COLLECTED)["status"])
    assert not may_run_unseen(placed("Failed", BOX_ENDED, status=COLLECTED)["status"])
    assert not may_run_unseen(placed("Failed", BOX_RUNS)["status"])
