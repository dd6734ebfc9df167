"""Volumes that are not made by Kubernetes, as whole objects."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.kube.static import static
from tests.unit.kube.objects import INSTALL, RESERVATION

LABELS = {"gpudev.io/install": str(INSTALL), "gpudev.io/part": "server"}
RECORD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gd-1", "uid": "uid-record", "labels": LABELS}}
MOUNT = Mount(volume_id=RESERVATION, disk_id=INSTALL, kind=MountKind.CSI, source="ebs.csi.aws.com/vol-0abc")
ALL_LABELS = LABELS | {"gpudev.io/disk": str(INSTALL), "gpudev.io/volume": str(RESERVATION)}


def made(**changes):
    return static(attrs.evolve(MOUNT, **changes), RECORD, "gpu-dev", "node-a")


def test_a_volume_of_a_csi_driver_is_named_by_its_handle_and_kept():
    assert made().volume == {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "gd-1-disk", "labels": ALL_LABELS},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOncePod"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": "gpu-dev",
                "name": "gd-1-disk",
            },
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0abc", "fsType": "ext4"},
        },
    }


def test_its_claim_is_bound_to_it_alone_and_goes_with_the_record():
    assert made().claim == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "gd-1-disk",
            "labels": ALL_LABELS,
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gd-1", "uid": "uid-record"}],
        },
        "spec": {
            "accessModes": ["ReadWriteOncePod"],
            "storageClassName": "",
            "volumeName": "gd-1-disk",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def test_a_folder_of_a_node_has_to_be_there_and_is_on_that_node_alone():
    spec = made(kind=MountKind.HOST_PATH, source="/data/disks/1").volume["spec"]

    assert spec["hostPath"] == {"path": "/data/disks/1", "type": "Directory"}
    (term,) = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-a"]}]


def test_a_share_is_for_many_boxes_and_has_a_file_system_already():
    share = made(source="efs.csi.aws.com/fs-0abc::fsap-0def", shared=True)
    told = made(source="nfs/1", shared=True, attributes={"ip": "10.0.0.2"})

    assert told.volume["spec"]["csi"]["volumeAttributes"] == {"ip": "10.0.0.2"}
    assert share.volume["spec"]["accessModes"] == share.claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert share.volume["spec"]["csi"] == {"driver": "efs.csi.aws.com", "volumeHandle": "fs-0abc::fsap-0def"}


def test_what_is_a_claim_already_needs_nothing():
    assert made(kind=MountKind.CLAIM, source="gd-v-1") is None


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (MountKind.CSI, "vol-0abc"),
        (MountKind.CSI, "ebs.csi.aws.com/"),
        (MountKind.CSI, "/vol-0abc"),
        (MountKind.HOST_PATH, "data"),
        (MountKind.HOST_PATH, "/data/../etc"),
    ],
)
def test_an_unlawful_source_is_refused(kind, source):
    with pytest.raises(Unworkable):
        made(kind=kind, source=source)
