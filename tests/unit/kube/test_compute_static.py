"""Boxes whose disk the cluster did not make: its objects come before the pod and go with it, wherever it breaks off."""

from __future__ import annotations

import uuid

import pytest

from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import names
from tests.unit.kube.objects import INSTALL, SERVER
from tests.unit.kube.test_compute_trouble import GRAVE, Nth, is_gone, until_done

NAME = names.server_name(INSTALL, SERVER)
MOUNT = Mount(
    volume_id=uuid.UUID(int=1), disk_id=uuid.UUID(int=2), kind=MountKind.CSI, source="ebs.csi.aws.com/vol-0abc"
)
#: Calls of a launch that change something: three policies, record, files, volume, claim, pod.
LAUNCH = 8


def volumes(bench):
    """Return the volumes there are, whose objects are of no namespace."""
    return [item["metadata"]["name"] for item in bench.fake.store.list("persistentvolumes", None)[0]]


def test_the_volume_and_its_claim_are_there_before_the_pod_that_uses_them(bench):
    bench.launch(mount=MOUNT)

    made = [resource for verb, resource, _ in bench.writes() if verb == "create"]
    assert made.index("persistentvolumes") < made.index("persistentvolumeclaims") < made.index("pods")
    (home,) = [each for each in bench.pod()["spec"]["volumes"] if each["name"] == "home"]
    assert home["persistentVolumeClaim"] == {"claimName": f"{NAME}-disk"}


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
@pytest.mark.parametrize("number", range(1, LAUNCH + 1))
def test_a_launch_that_fails_at_any_call_and_is_repeated_makes_one_volume(bench, number, what):
    bench.fake.trouble = Nth(number, what)

    until_done(lambda: bench.launch(mount=MOUNT))

    assert (len(bench.pods()), volumes(bench)) == (1, [f"{NAME}-disk"])


@pytest.mark.parametrize("what", ["cut", "lose"])
@pytest.mark.parametrize("number", range(1, LAUNCH + 1))
def test_a_launch_that_fails_at_any_call_and_is_given_up_leaves_no_volume(bench, eventually, number, what):
    bench.fake.trouble = Nth(number, what)
    with pytest.raises(TryLater):
        bench.launch(mount=MOUNT)
    bench.again()

    eventually(lambda: is_gone(bench))

    assert (bench.left(), volumes(bench)) == (GRAVE, [])


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
@pytest.mark.parametrize("number", range(1, 6))
def test_an_end_that_fails_at_any_call_and_is_repeated_leaves_no_volume(bench, eventually, number, what):
    bench.launch(mount=MOUNT)
    bench.fake.trouble = Nth(number, what)

    eventually(lambda: until_done(lambda: is_gone(bench)))

    assert (bench.left(), volumes(bench)) == (GRAVE, [])


def test_a_tombstone_says_which_volume_goes_with_the_server(bench):
    bench.launch(mount=MOUNT)

    bench.compute.terminate(SERVER)

    grave = bench.fake.store.get(bench.key(kind="configmaps"))
    assert grave["metadata"]["annotations"][names.STATIC] == f"{NAME}-disk"
