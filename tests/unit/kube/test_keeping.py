"""Our finalizer is taken off of the very object that was seen, and nobody else's."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube.errors import ObjectChanged
from gpudev_sdk.kube.keeping import let_go
from gpudev_sdk.kube.kinds import POD
from gpudev_sdk.kube.names import FINALIZER

KEY = ("pods", "gpu-dev", "gd-1")


def put(fake, finalizers):
    """Make a pod with these finalizers, and return it as it is seen."""
    fake.store.create(KEY, {"kind": "Pod", "metadata": {"finalizers": finalizers}, "spec": {}})
    return fake.store.get(KEY)


def writes(fake):
    return [call for call in fake.calls if call.verb not in ("get", "list", "watch")]


@pytest.mark.parametrize(("before", "after"), [([FINALIZER], None), (["other", FINALIZER], ["other"])])
def test_ours_goes_and_the_others_stay(fake, before, after):
    let_go(fake.api(), POD, put(fake, before))

    assert fake.store.get(KEY)["metadata"].get("finalizers") == after


@pytest.mark.parametrize("finalizers", [["other"], None])
def test_an_object_that_we_do_not_keep_is_not_touched(fake, finalizers):
    let_go(fake.api(), POD, put(fake, finalizers))

    assert writes(fake) == []


def test_one_that_changed_since_is_looked_at_again(fake):
    seen = put(fake, [FINALIZER])
    fake.api().merge(POD, "gd-1", {"metadata": {"annotations": {"changed": "yes"}}})

    with pytest.raises(ObjectChanged):
        let_go(fake.api(), POD, seen)
    assert fake.store.get(KEY)["metadata"]["finalizers"] == [FINALIZER]


def test_one_that_is_gone_is_silent(fake):
    seen = put(fake, [FINALIZER])
    let_go(fake.api(), POD, seen)
    fake.api().delete(POD, "gd-1")

    let_go(fake.api(), POD, seen)
