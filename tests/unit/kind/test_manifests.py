"""The objects of a volume, whole."""

from __future__ import annotations

import uuid

from gpudev_kind import cards, claims, helpers
from gpudev_kind.settings import KindSettings
from gpudev_sdk.domain.disk import VolumeSpec

INSTALL = uuid.UUID(int=7)
VOLUME, DISK = uuid.UUID(int=1), uuid.UUID(int=2)
SPEC = VolumeSpec(volume_id=VOLUME, disk_id=DISK, owner_number=1, size_bytes=2**30, node="n")
NAME = f"gd-00000007-v-{VOLUME}"
LABELS = {"gpudev.io/install": str(INSTALL), "gpudev.io/volume": str(VOLUME), "gpudev.io/disk": str(DISK)}
SETTINGS = KindSettings(tools_image="tools:1")


def card():
    body = cards.of_volume(INSTALL, SPEC, "/var/lib/gpudev", None)
    body["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    made = cards.read(body)
    assert made is not None
    return made


def test_the_card():
    assert cards.of_volume(INSTALL, SPEC, "/var/lib/gpudev", None) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "labels": LABELS | {"gpudev.io/part": "volume-card"},
            "annotations": {"gpudev.io/state": "making"},
        },
        "data": {"node": "n", "folder": "/var/lib/gpudev", "source": ""},
    }


def test_the_persistent_volume_is_of_one_claim_and_one_node_and_never_empty():
    claim = claims.claim(SPEC, SETTINGS, INSTALL)
    where = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["host"]}

    assert claims.volume(card(), claim, "host", "gpu-dev") == {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": NAME, "labels": LABELS | {"gpudev.io/part": "disk"}},
        "spec": {
            "capacity": {"storage": "1073741824"},
            "accessModes": ["ReadWriteOncePod"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "gpu-dev", "name": NAME},
            "hostPath": {"path": f"/var/lib/gpudev/volumes/{VOLUME}/home", "type": "Directory"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [where]}]}},
        },
    }


def test_the_claim_wants_that_volume_and_no_class():
    claim = claims.claim(SPEC, SETTINGS, INSTALL)

    assert claim["spec"] == {
        "accessModes": ["ReadWriteOncePod"],
        "storageClassName": "",
        "volumeName": NAME,
        "resources": {"requests": {"storage": "1073741824"}},
    }
    assert claim["metadata"]["finalizers"] == ["gpudev.io/kept"]


def test_the_pod():
    made = helpers.pod(card(), None, INSTALL, SETTINGS)
    (container,) = made["spec"].pop("containers")
    marker = f"install {INSTALL}\ndisk {DISK}\nvolume {VOLUME}\nfrom nothing"
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]

    assert made["metadata"] == {
        "name": f"{NAME}-make",
        "labels": LABELS | {"gpudev.io/part": "volume-pod"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": NAME, "uid": "u"}],
    }
    assert made["spec"] == {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}},
        "tolerations": [{"operator": "Exists"}],
        "volumes": [{"name": "disks", "hostPath": {"path": "/var/lib/gpudev", "type": "DirectoryOrCreate"}}],
    }
    assert {each["name"]: each.get("value") for each in container["env"]} == {
        "DO": "make", "TARGET": f"/disks/volumes/{VOLUME}", "MARKER": marker, "SOURCE": "", "SOURCE_MARKER": "",
        "OWNER": "1000:1000", "FLOOR": str(2**30), "SELF": None,
    }  # fmt: skip
    assert container["securityContext"] == {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["image"] == "tools:1"
    assert not any(value in container["command"][3] for value in (str(VOLUME), str(DISK), "/var/lib"))
