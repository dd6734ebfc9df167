"""Boxes with a profile: root who is nobody on the node, in a namespace that allows *baseline*; and what a namespace refuses."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.profiles import PROFILING, ROOT
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.kube.kinds import NAMESPACE
from gpudev_sdk.kube.settings import KubeSettings
from tests.cluster.boxes import launched
from tests.cluster.place import namespace


@pytest.fixture(scope="module")
def baseline(place):
    """Return the place with a namespace in which *baseline* pods may run."""
    with namespace(place.api()) as name:
        labels = {"pod-security.kubernetes.io/enforce": "baseline"}
        place.api().merge(NAMESPACE, name, {"metadata": {"labels": labels}})
        yield attrs.evolve(place, namespace=name)


#: A whole node of GPUs, which alone can be profiled.
WHOLE = {"gpu_type": "h100", "gpus": 8, "slots": tuple(range(8))}


def settings(place) -> KubeSettings:
    return place.settings(profiles=[ROOT, PROFILING])


@pytest.fixture(scope="module", params=["debian", "busybox", "musl"])
def box(request, baseline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    image = baseline.images[request.param]
    with launched(baseline, folder, settings(baseline), image=image, profile=ROOT, env={"TOKEN": "two words"}) as made:
        made.wait()
        yield made


def test_one_is_root_in_the_box_and_nobody_on_the_node(box):
    assert box.ssh('id -u; echo $HOME; printf %s "$TOKEN"').stdout == "0\n/home/dev\ntwo words"
    inside, outside, _ = box.ssh("cat /proc/self/uid_map").stdout.split()
    assert inside == "0"
    assert int(outside) > 0


def test_root_changes_what_the_image_brought(box):
    box.ssh(
        "echo mine > /etc/motd && mkdir -p /usr/local/bin && echo x > /usr/local/bin/tool && chown 7:7 /usr/local/bin/tool"
    )

    assert box.ssh("cat /etc/motd").stdout == "mine\n"


def test_root_may_not_touch_the_node(box):
    for command in ("/opt/gpudev/bin/busybox mount -t tmpfs none /mnt", "echo 1 > /proc/sys/vm/drop_caches",
                    "/opt/gpudev/bin/busybox mknod /tmp/disk b 8 0", "echo x > /opt/gpudev/bin/busybox"):  # fmt: skip
        assert box.ssh(command, ok=False).returncode != 0, command


def test_users_can_be_added_where_the_image_can(baseline, tmp_path):
    with launched(baseline, tmp_path, settings(baseline), profile=ROOT) as box:
        box.ssh("useradd --create-home kim && su kim -c 'id -un' | grep -x kim")
        # A box with something that runs ends as others do.
        box.ssh("nohup sleep 600 >/dev/null 2>&1 &")


def refused(place, folder, profile, **wishes):
    """Return why a namespace does not let a box of a profile in."""
    with pytest.raises(Unworkable) as caught, launched(place, folder, settings(place), profile=profile, **wishes):
        pytest.fail("it started")
    return caught.value.message


def test_a_namespace_that_allows_less_refuses_it_in_words(place, tmp_path):
    assert "a policy of the cluster refuses the box" in refused(place, tmp_path, ROOT)


def test_profiling_needs_a_namespace_that_allows_everything(baseline, tmp_path):
    assert "SYS_ADMIN" in refused(baseline, tmp_path, PROFILING, **WHOLE)
