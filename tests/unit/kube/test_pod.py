"""The pod of a dev server, as a whole object."""

from __future__ import annotations

import json

import pytest

from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.domain.server import ServerId, digest_files
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.kube import pod
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.objects import GPU, INSTALL, RESERVATION, server_spec

NAME = "gd-aabbccdd-33333333-3333-4333-8333-333333333333-1"
RECORD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "uid": "uid-record"}}
#: Kubernetes would give each pod five minutes of these.
THROUGH_SILENCE = [
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
]
DISK = Mount(volume_id=RESERVATION, disk_id=RESERVATION, kind=MountKind.CLAIM, source="gd-aabbccdd-v-1")


def ground(*, settings=None, resource=GPU, user_namespaces=True):
    return pod.Ground(
        install=INSTALL,
        settings=settings or KubeSettings(),
        record=RECORD,
        resource=resource,
        user_namespaces=user_namespaces,
    )


def cpu_spec(**changes):
    return server_spec(**({"gpu_type": "cpu", "gpus": 0, "slots": (0,)} | changes))


def box_of(made):
    return made["spec"]["containers"][0]


def env_of(made):
    return {each["name"]: each["value"] for each in box_of(made)["env"]}


def volume(made, name):
    return next(each for each in made["spec"]["volumes"] if each["name"] == name)


def test_a_box_with_gpus_a_disk_an_environment_and_users_of_its_own():
    spec = server_spec(mount=DISK, env={"TOKEN": "hush"}, image="ubuntu:24.04")
    settings = KubeSettings(tools_image="tools:1", pull_secrets=["registry"])
    share = {"cpu": "4500m", "memory": "8589934592"}
    amounts = share | {GPU: "2"}
    powerless = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

    made = pod.manifest(spec, ground(settings=settings))

    # How the tools are brought is a matter of their image; that it is a constant is tested below.
    bring = made["spec"]["initContainers"][0].pop("command")
    assert bring[0] == "/opt/gpudev/bin/busybox"
    assert made == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": NAME,
            "labels": {
                "gpudev.io/install": str(INSTALL),
                "gpudev.io/part": "server",
                "gpudev.io/reservation": str(RESERVATION),
                "gpudev.io/attempt": "1",
                "gpudev.io/gpu-type": "h100",
            },
            "annotations": {
                "gpudev.io/files": digest_files(spec.files),
                "gpudev.io/slots": "2,3",
                "gpudev.io/name": "work",
                "gpudev.io/owner": "ada",
            },
            "finalizers": ["gpudev.io/kept"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": NAME, "uid": "uid-record"}],
        },
        "spec": {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "hostUsers": False,
            "hostname": "work",
            "imagePullSecrets": [{"name": "registry"}],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-a"]}]}
                        ]
                    }
                }
            },
            "tolerations": [{"key": GPU, "operator": "Exists"}, *THROUGH_SILENCE],
            "securityContext": {
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "runAsNonRoot": True,
                "fsGroup": 1000,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": [
                {
                    "name": "tools",
                    "image": "tools:1",
                    "imagePullPolicy": "IfNotPresent",
                    "securityContext": powerless,
                    "resources": {"requests": share, "limits": share},
                    "volumeMounts": [{"name": "tools", "mountPath": "/target"}],
                }
            ],
            "containers": [
                {
                    "name": "box",
                    "image": "ubuntu:24.04",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/opt/gpudev/bin/busybox", "sh", "/etc/gpudev/start.sh"],
                    "workingDir": "/home/dev",
                    "env": [
                        {"name": "HOME", "value": "/home/dev"},
                        {"name": "USER", "value": "dev"},
                        {"name": "GPUDEV_RUN", "value": "/run/gpudev"},
                        {"name": "GPUDEV_NAME", "value": "work"},
                        {"name": "GPUDEV_GRACE", "value": "30"},
                        {"name": "OMP_NUM_THREADS", "value": "4"},
                        {"name": "MKL_NUM_THREADS", "value": "4"},
                        {"name": "OPENBLAS_NUM_THREADS", "value": "4"},
                    ],
                    "envFrom": [{"secretRef": {"name": f"{NAME}-env"}}],
                    "ports": [{"name": "ssh", "containerPort": 2222}],
                    "securityContext": powerless,
                    "resources": {"requests": amounts, "limits": amounts},
                    "lifecycle": {
                        "postStart": {
                            "exec": {"command": ["/opt/gpudev/bin/busybox", "sh", "/etc/gpudev/listening.sh"]}
                        }
                    },
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "volumeMounts": [
                        {"name": "tools", "mountPath": "/opt/gpudev", "readOnly": True},
                        {"name": "boot", "mountPath": "/etc/gpudev", "readOnly": True},
                        {"name": "boot", "mountPath": "/etc/passwd", "subPath": "passwd", "readOnly": True},
                        {"name": "boot", "mountPath": "/etc/group", "subPath": "group", "readOnly": True},
                        {"name": "run", "mountPath": "/run/gpudev", "readOnly": True},
                        {"name": "state", "mountPath": "/run/gpudev-boot"},
                        {"name": "shm", "mountPath": "/dev/shm"},
                        {"name": "home", "mountPath": "/home/dev"},
                    ],
                }
            ],
            "volumes": [
                {"name": "tools", "emptyDir": {"sizeLimit": "256Mi"}},
                {
                    "name": "boot",
                    "configMap": {
                        "name": NAME,
                        "items": [
                            {"key": "start.sh", "path": "start.sh"},
                            {"key": "listening.sh", "path": "listening.sh"},
                            {"key": "sshd_config", "path": "sshd_config"},
                            {"key": "passwd", "path": "passwd"},
                            {"key": "group", "path": "group"},
                        ],
                    },
                },
                {
                    "name": "run",
                    "projected": {"sources": [{"secret": {"name": f"{NAME}-files"}}], "defaultMode": 0o440},
                },
                {"name": "state", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "4294967296"}},
                {"name": "home", "persistentVolumeClaim": {"claimName": "gd-aabbccdd-v-1"}},
            ],
        },
    }


def test_a_box_without_gpus_and_disk_differs_by_just_that():
    settings = KubeSettings(tools_image="tools:1", image="house:1", scratch_bytes=2**30)
    with_all = pod.manifest(server_spec(mount=DISK, env={"TOKEN": "hush"}), ground(settings=settings))

    made = pod.manifest(cpu_spec(), ground(settings=settings, resource="", user_namespaces=False))

    expected = json.loads(json.dumps(with_all))
    del expected["spec"]["hostUsers"]
    expected["metadata"]["labels"]["gpudev.io/gpu-type"] = "cpu"
    expected["metadata"]["annotations"]["gpudev.io/slots"] = "0"
    box, amounts = box_of(expected), {"cpu": "4500m", "memory": "8589934592"}
    del box["envFrom"]
    box["env"].append({"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"})
    box["resources"] = {"requests": amounts, "limits": amounts}
    volume(expected, "home").clear()
    expected["spec"]["volumes"][-1] = {"name": "home", "emptyDir": {"sizeLimit": "1073741824"}}
    assert made == expected


def test_a_box_without_gpus_sees_none_whatever_its_image_wants():
    assert env_of(pod.manifest(cpu_spec(), ground(resource="")))["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_a_persons_environment_cannot_give_them_gpus():
    """What `env` says goes over what `envFrom` brings."""
    made = pod.manifest(cpu_spec(env={"NVIDIA_VISIBLE_DEVICES": "all"}), ground(resource=""))

    assert env_of(made)["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_a_box_with_gpus_leaves_it_to_the_runtime_which_it_sees():
    assert "NVIDIA_VISIBLE_DEVICES" not in env_of(pod.manifest(server_spec(), ground()))


def test_a_share_that_was_not_said_asks_for_nothing():
    made = pod.manifest(cpu_spec(cpus=None, memory_bytes=None), ground(resource=""))

    assert box_of(made)["resources"] == {"requests": {}, "limits": {}}
    assert volume(made, "shm") == {"name": "shm", "emptyDir": {"medium": "Memory"}}
    assert "OMP_NUM_THREADS" not in env_of(made)


def test_less_than_one_cpu_is_still_a_thread():
    assert env_of(pod.manifest(cpu_spec(cpus=0.5), ground()))["OMP_NUM_THREADS"] == "1"


def test_a_slice_is_asked_for_by_its_own_name():
    made = pod.manifest(server_spec(gpus=1), ground(resource="nvidia.com/mig-1g.10gb"))

    assert box_of(made)["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == "1"
    assert GPU not in box_of(made)["resources"]["limits"]


@pytest.mark.parametrize("kind", [MountKind.HOST_PATH, MountKind.CSI])
def test_a_disk_that_is_no_claim_cannot_be_had(kind):
    mount = Mount(volume_id=RESERVATION, disk_id=RESERVATION, kind=kind, source="/data")

    with pytest.raises(Unworkable, match="claim"):
        pod.manifest(server_spec(mount=mount), ground())


def test_nothing_of_a_spec_gets_into_a_command():
    odd = "$(touch /tmp/x);`id`'\""
    spec = server_spec(
        name=odd, owner=odd, gpu_type=odd, node=odd, image=odd, env={odd: odd}, files={odd: odd.encode()}
    )

    commands = [
        [each.get("command"), each.get("args")]
        for containers in ("initContainers", "containers")
        for each in pod.manifest(spec, ground())["spec"][containers]
    ]

    plain = pod.manifest(server_spec(), ground())["spec"]
    assert commands == [
        [each.get("command"), each.get("args")] for each in plain["initContainers"] + plain["containers"]
    ]
    assert odd not in json.dumps(commands)


def test_no_secret_value_is_in_a_manifest():
    made = json.dumps(pod.manifest(server_spec(env={"TOKEN": "hush"}, files={"host_key": b"hush"}), ground()))

    assert "hush" not in made


def test_nothing_in_a_box_can_speak_to_the_cluster():
    made = pod.manifest(server_spec(), ground())["spec"]

    assert made["automountServiceAccountToken"] is False
    assert not any("serviceAccountToken" in source for each in made["volumes"] if "projected" in each
                   for source in each["projected"]["sources"])  # fmt: skip


def test_names_and_labels_fit_whatever_the_attempt():
    server = ServerId(RESERVATION, 999_999)
    made = pod.manifest(server_spec(server_id=server, gpu_type="a" * 63), ground())

    assert max(map(len, made["metadata"]["labels"].values())) <= 63


def test_a_box_tolerates_what_its_settings_say():
    made = pod.manifest(server_spec(), ground(settings=KubeSettings(tolerations=["team"])))

    assert made["spec"]["tolerations"] == [{"key": "team", "operator": "Exists"}, *THROUGH_SILENCE]
