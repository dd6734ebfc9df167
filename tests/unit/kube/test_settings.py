"""Settings of a cluster, as an operator writes them: a mistake is refused by its name, at every level."""

from __future__ import annotations

import uuid

import pytest

from gpudev_sdk import config
from gpudev_sdk.domain.disk import Reach
from gpudev_sdk.errors import ConfigError
from gpudev_sdk.kube.settings import KubeSettings, TypeSettings
from gpudev_sdk.kube.storage import ClaimStorage
from gpudev_sdk.providers import Context


def settings_of(kube):
    table = {"compute": "kube", "storage": "kube", "kube": kube}
    return config.read_backend(table, "lab").compute_settings


@pytest.fixture
def written(tmp_path):
    """Return a function that reads a backend's settings from TOML text."""

    def read(text: str) -> KubeSettings:
        path = tmp_path / "gpudev.toml"
        path.write_text(f"[backends.lab]\ncompute = 'kube'\nstorage = 'kube'\n{text}")
        return config.read_backend(config.read(path).backends["lab"], "lab").compute_settings

    return read


def test_a_cluster_needs_no_settings(written):
    assert written("") == KubeSettings()


def test_types_are_tables(written):
    found = written(
        "[backends.lab.kube]\nnamespace = 'lab'\n"
        "[backends.lab.kube.types.h100]\nlabels = { pool = 'h100' }\ndescription = 'H100'\n"
        "[backends.lab.kube.types.cpu]\nresource = ''\nslots_per_node = 4\n"
    )

    assert found == KubeSettings(
        namespace="lab",
        types={
            "h100": TypeSettings(labels={"pool": "h100"}, description="H100"),
            "cpu": TypeSettings(resource="", slots_per_node=4),
        },
    )


def test_compute_and_storage_share_them():
    found = config.read_backend({"compute": "kube", "storage": "kube", "kube": {"namespace": "lab"}}, "lab")

    assert found.compute_settings == found.storage_settings == KubeSettings(namespace="lab")


def test_an_unknown_setting_is_refused_by_its_name():
    with pytest.raises(ConfigError, match=r"\[backends\.lab\.kube\] does not know 'namspace'"):
        settings_of({"namspace": "lab"})


def test_an_unknown_setting_of_a_type_is_refused_with_the_type():
    with pytest.raises(ConfigError, match=r"types\.h100 does not know 'lables'") as raised:
        settings_of({"types": {"h100": {"lables": {}}}})

    assert "labels" in raised.value.hint


@pytest.mark.parametrize(
    ("kube", "said"),
    [
        ({"namespace": 7}, "namespace"),
        ({"grace_seconds": "30"}, "grace_seconds"),
        ({"grace_seconds": 1.5}, "grace_seconds"),
        ({"user_namespaces": "yes"}, "user_namespaces"),
        ({"pull_secrets": [1]}, "pull_secrets"),
        ({"node_labels": {"pool": 1}}, r"node_labels\.pool"),
        ({"node_labels": "pool"}, "node_labels"),
        ({"types": 7}, "types"),
        ({"types": {"h100": "big"}}, r"types\.h100"),
        ({"types": {"h100": {"slots_per_node": "4"}}}, r"types\.h100: slots_per_node"),
        ({"types": {"h100": {"labels": {"pool": 1}}}}, r"types\.h100: labels\.pool"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(kube, said):
    with pytest.raises(ConfigError, match=said):
        settings_of(kube)


@pytest.mark.parametrize(
    ("kube", "said"),
    [
        ({"namespace": "GPU_dev"}, "GPU_dev"),
        ({"namespace": "lab\n"}, "namespace"),
        ({"namespace": "a" * 64}, "namespace"),
        ({"gateway_namespace": "-"}, "gateway_namespace"),
        ({"types": {"H100": {}}}, "H100"),
        ({"types": {"h100": {"resource": "gpu"}}}, "gpu"),
        ({"types": {"h100": {"slots_per_node": -1}}}, "slots_per_node"),
        ({"share": 0.0}, "share"),
        ({"share": 1.1}, "share"),
        ({"shared_memory": 2.0}, "shared_memory"),
        ({"scratch_bytes": 0}, "scratch_bytes"),
        ({"grace_seconds": 0}, "grace_seconds"),
        ({"access_mode": "ReadOnlyMany"}, "ReadOnlyMany"),
        ({"disk_reach": "planet"}, "planet"),
        ({"closed_networks": ["10.0.0.0/33"]}, "10.0.0.0/33"),
        ({"closed_networks": ["everything"]}, "everything"),
    ],
)
def test_a_value_that_kubernetes_would_refuse_is_refused_first(kube, said):
    with pytest.raises(ConfigError, match=said):
        settings_of(kube)


@pytest.mark.parametrize("resource", ["", "nvidia.com/gpu", "amd.com/gpu", "nvidia.com/mig-1g.10gb"])
def test_a_resource_of_any_vendor_will_do(resource):
    assert settings_of({"types": {"some": {"resource": resource}}}).types["some"].resource == resource


@pytest.mark.parametrize(("text", "reach"), [("", Reach.ZONE), *((f"disk_reach = '{each}'", each) for each in Reach)])
def test_a_disk_reaches_as_far_as_its_class_is_said_to(written, tmp_path, text, reach):
    settings = written(f"[backends.lab.kube]\n{text}\n")
    context = Context(install_id=uuid.UUID(int=1), name="lab", data_folder=tmp_path)

    assert ClaimStorage(settings, context).reach is reach
