"""Compute and storage that do not go together are refused by name, before anything is made of either."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk import config
from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.errors import ConfigError, Unworkable
from gpudev_sdk.local.catalogue import node_name
from gpudev_sdk.local.compute import LocalCompute
from gpudev_sdk.local.settings import LocalSettings
from tests.unit.kube.objects import server_spec

ELSEWHERE, HANDED = (
    "are folders of this machine, where its boxes are not",
    "are handed over as {}, which its boxes cannot have",
)


@pytest.mark.parametrize(
    ("compute", "storage", "why"),
    [
        ("local", "kube", HANDED.format("claim")),
        ("local", "aws", HANDED.format("csi")),
        ("local", "gcp", HANDED.format("csi")),
        ("kube", "local", ELSEWHERE),
        ("aws", "local", ELSEWHERE),
        ("gcp", "local", ELSEWHERE),
    ],
)
def test_what_does_not_go_together_is_refused_with_both_names(settings, compute, storage, why):
    table = {"compute": compute, "storage": storage, **{name: settings(name, compute) for name in (compute, storage)}}

    with pytest.raises(ConfigError) as caught:
        config.read_backend(table, "lab")

    said = f'[backends.lab]: compute = "{compute}" does not go with storage = "{storage}": the disks {why}'
    assert (caught.value.message, caught.value.hint[:14]) == (said, "Say storage = ")


@pytest.mark.parametrize(
    "pair", [("local", "local"), ("kube", "kube"), ("aws", "kube"), ("gcp", "kube"), ("kube", "aws")]
)
def test_what_goes_together_is_read(settings, pair):
    table = dict(zip(("compute", "storage"), pair, strict=True)) | {name: settings(name, pair[0]) for name in pair}

    assert config.read_backend(table, "lab").compute is not None


def test_a_box_of_this_machine_is_not_made_for_a_disk_that_is_no_folder_of_it(context):
    compute = LocalCompute(LocalSettings(pretend="h100:8"), context)
    mount = Mount(volume_id=uuid.uuid4(), disk_id=uuid.uuid4(), kind=MountKind.CSI, source="ebs.csi.aws.com/vol-1")

    with pytest.raises(Unworkable, match="have folders of it as disks, and"):
        compute.launch(attrs.evolve(server_spec(), node=node_name(), mount=mount))

    assert compute.list_servers() == ()
