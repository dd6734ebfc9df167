"""Setting a cluster up and taking it down: twice is once, and what was there before stays."""

from __future__ import annotations

import attrs
import pytest

from gpudev_kind.compute import KindCompute
from gpudev_kind.settings import KindSettings
from gpudev_sdk.errors import InvalidRequest, Unworkable
from gpudev_sdk.providers import Installable


@pytest.fixture
def said():
    return []


@pytest.fixture
def set_up(kind, kubeconfig, said):
    return lambda **given: KindCompute.set_up({"kubeconfig": str(kubeconfig), **given}, said.append)


@pytest.fixture
def settings(kubeconfig):
    return KindSettings(kubeconfig=str(kubeconfig))


def words(kind):
    return [" ".join(each[:2]) for each, _ in kind.calls]


def test_it_is_an_ability_of_the_class():
    assert issubclass(KindCompute, Installable)


def test_a_cluster_is_made_with_its_namespaces_and_images(set_up, kind, fake, said):
    assert set_up(namespace="boxes") == {"cluster": "gpudev"}

    assert words(kind) == ["get clusters", "create cluster", "load docker-image"]
    restricted = fake.store.get(("namespaces", "", "boxes"))["metadata"]["labels"]
    assert restricted["pod-security.kubernetes.io/enforce"] == "restricted"
    assert fake.store.get(("namespaces", "", "gpudev-kind"))["metadata"]["labels"]["gpudev.io/made-by"] == "gpudev"
    assert any("Making the cluster gpudev" in line for line in said)


def test_set_up_twice_makes_nothing_new(set_up, kind, fake):
    set_up()
    before = dict(fake.store.objects)
    assert set_up() == {"cluster": "gpudev"}

    assert words(kind).count("create cluster") == 1
    assert fake.store.objects == before


def test_a_cluster_that_was_there_is_adopted_and_never_deleted(set_up, kind, settings, said):
    kind.write(["gpudev"])
    set_up()
    KindCompute.take_down(settings, said.append)

    assert words(kind)[:2] == ["get clusters", "export kubeconfig"]
    assert kind.clusters == ["gpudev"]
    assert said[-1].endswith("kind delete cluster --name gpudev")


def test_a_cluster_made_here_is_taken_down_with_all_in_it(set_up, kind, settings, said):
    set_up()
    KindCompute.take_down(settings, said.append)
    assert kind.clusters == []
    KindCompute.take_down(settings, said.append)

    assert said[-1] == "There is no cluster gpudev any more."


def test_an_image_that_this_machine_lacks_is_no_failure(set_up, kind, said):
    kind.write(trouble={"load docker-image": (1, "ERROR: image: \"gpudev/tools:0.1.0\" not present locally")})  # fmt: skip
    set_up()

    assert any("not present locally" in line for line in said)


@pytest.mark.parametrize("given", [{"workers": "-1"}, {"workers": "many"}, {"cluster": "A b"}, {"colour": "red"}])
def test_what_cannot_be_is_refused_before_anything_is_made(set_up, kind, given):
    with pytest.raises(InvalidRequest):
        set_up(**given)
    assert "create cluster" not in words(kind)


def test_a_failure_passes_on_what_kind_said(set_up, kind):
    kind.write(trouble={"create cluster": (1, "ERROR: failed to create cluster: no space left on device")})

    with pytest.raises(Unworkable, match="is full"):
        set_up()


def test_the_context_is_kinds_own_unless_it_is_named():
    assert KindSettings(cluster="lab").context == "kind-lab"
    assert KindSettings(cluster="lab", context="mine").context == "mine"
    assert KindSettings().helper == KindSettings().tools_image
    assert KindSettings(helper_image="small").helper == "small"


@pytest.mark.parametrize("folder", ["/", "x", "/a/../b", "/a b", "/a/", "/a;b", "/a\n"])
def test_a_folder_is_an_absolute_path_of_plain_names(folder):
    with pytest.raises(ValueError, match="folder"):
        attrs.evolve(KindSettings(), folder=folder)


def test_compute_says_which_cluster_it_is(kubeconfig, context, fake):
    compute = KindCompute(KindSettings(kubeconfig=str(kubeconfig)), context)

    assert compute.describe()["cluster"] == "gpudev"
    compute._view.stop()
