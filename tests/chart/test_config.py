"""The config.toml of the chart is one that the services read, and says nothing of its own."""

from __future__ import annotations

import tomllib

import attrs
import pytest
import yaml

from gpudev_sdk import config
from gpudev_sdk.kube.pod import PORT
from tests.chart.rendering import CHART, SHAPES, component, one, pods, render, selects, shape


def said(things) -> str:
    return one(things, "ConfigMap", "gpu-dev-config")["data"]["config.toml"]


@pytest.fixture
def read(tmp_path):
    """Read what a shape says, as a service does."""

    def read(things):
        path = tmp_path / "config.toml"
        path.write_text(said(things), encoding="utf-8")
        return config.read(path)

    return read


@pytest.mark.parametrize("name", SHAPES)
def test_the_services_read_it_with_every_backend(name, read):
    configuration = read(shape(name))

    for backend, table in configuration.backends.items():
        providers = config.read_backend(table, backend)
        assert providers.compute_settings.namespace


def test_the_limits_are_those_of_a_server_that_is_told_nothing(read):
    assert read(shape("default")).settings.limits == config.LimitSettings()


def test_every_limit_there_is_can_be_said():
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    assert set(values["config"]["limits"]) == {field.name for field in attrs.fields(config.LimitSettings)}


def test_a_cleared_map_is_gone_from_it(read):
    cleared = read(render("--set", "config.limits.max_hours_by_type=null,config.limits.warning_minutes=null"))

    assert '"max_hours_by_type"' not in said(render("--set", "config.limits.max_hours_by_type=null"))
    assert cleared.settings.limits.warning_minutes == config.LimitSettings().warning_minutes


def test_gpu_types_are_in_one_place_and_reach_the_backend(read):
    table = read(shape("everything")).backends["cluster"]["kube"]

    assert table["types"]["h100"] == {"labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}}
    assert (
        config.read_backend(read(shape("everything")).backends["cluster"], "cluster")
        .compute_settings.types["cpu"]
        .slots_per_node
        == 8
    )


@pytest.mark.parametrize("text", ['a "b" \\c', "tab\there", "ü→\U0001f600", "</script>&", "a\nb"])
def test_any_text_reaches_the_services_as_it_was_said(text, tmp_path):
    path = tmp_path / "values.yaml"
    path.write_text(
        yaml.safe_dump({"config": {"name": text}, "backend": {"settings": {"node_labels": {"x": text}}}}),
        encoding="utf-8",
    )
    table = tomllib.loads(said(render("--values", str(path))))

    assert table["name"] == text
    assert table["backends"]["cluster"]["kube"]["node_labels"] == {"x": text}


def test_boxes_let_in_the_gateway_of_this_very_release(read):
    things = shape("default")
    settings = config.read_backend(read(things).backends["cluster"], "cluster").compute_settings
    let = [
        pod
        for ns, pod in pods(things)
        if ns == settings.gateway_namespace
        and selects({"matchLabels": settings.gateway_labels}, pod["metadata"]["labels"])
    ]

    assert [component(pod) for pod in let] == ["gateway"]
    assert PORT == 2222


def test_a_class_that_the_chart_makes_is_the_one_disks_are_of(read):
    things = shape("aws")
    made = [each["metadata"]["name"] for each in things if each["kind"] == "StorageClass"]

    assert made == ["gpu-dev.gpu-controlplane.gp3"]
    assert read(things).backends["cluster"]["aws"]["storage_class"] == made[0]
    claim = one(things, "StatefulSet", "gpu-dev-postgres")["spec"]["volumeClaimTemplates"][0]
    assert claim["spec"]["storageClassName"] == made[0]
    assert (
        "storageClassName"
        not in one(shape("default"), "StatefulSet", "gpu-dev-postgres")["spec"]["volumeClaimTemplates"][0]["spec"]
    )


def test_nothing_of_a_cloud_is_in_the_defaults():
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    assert values["cloudProvider"] == {"name": "", "aws": {}, "gcp": {}}
    del values["cloudProvider"]
    assert not [word for word in ("aws", "amazon", "gke", "google", "eks") if word in yaml.safe_dump(values).lower()]


def test_the_engine_may_name_volumes_by_handle_only_where_a_cloud_needs_that():
    names = {
        shape_: {each["metadata"]["name"] for each in shape(shape_) if each["kind"] == "ClusterRole"}
        for shape_ in ("kind", "gcp")
    }

    assert "gpu-dev.gpu-controlplane.volumes" in names["gcp"]
    assert "gpu-dev.gpu-controlplane.volumes" not in names["kind"]


def test_what_is_taken_back_by_null_is_not_said_at_any_depth(tmp_path):
    path = tmp_path / "values.yaml"
    lab = {
        "compute": "kube",
        "storage": "kube",
        "kube": {"image": None, "namespace": "x", "node_labels": {"a": None, "b": "c"}},
    }
    path.write_text(
        yaml.safe_dump({"config": {"backends": {"lab": lab, "gone": None}}, "gpuTypes": {"t4": None}}), encoding="utf-8"
    )
    backends = tomllib.loads(said(render("--values", str(path))))["backends"]

    assert backends["lab"]["kube"] == {"namespace": "x", "node_labels": {"b": "c"}}
    assert "gone" not in backends
    assert backends["cluster"]["kube"]["types"] == {}
