"""Pods are lawful under Pod Security *restricted*, and the checker that says so sees what it should."""

from __future__ import annotations

import pytest

from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.domain.server import Peer
from gpudev_sdk.kube import gang, pod
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.objects import GPU, INSTALL, RESERVATION, merged, server_spec
from tests.unit.kube.restricted import broken

RECORD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gd-record", "uid": "uid-record"}}


def manifest(*, user_namespaces=False, **changes):
    ground = pod.Ground(
        install=INSTALL, settings=KubeSettings(), record=RECORD, resource=GPU, user_namespaces=user_namespaces
    )
    return pod.manifest(server_spec(**changes), ground)


@pytest.mark.parametrize("user_namespaces", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gpus": 0, "gpu_type": "cpu"},
        {"mount": Mount(volume_id=RESERVATION, disk_id=RESERVATION, kind=MountKind.CLAIM, source="gd-v")},
        {"env": {"TOKEN": "secret"}, "image": "busybox"},
        {"cpus": None, "memory_bytes": None},
    ],
)
def test_every_box_is_lawful_under_restricted(changes, user_namespaces):
    assert broken(manifest(user_namespaces=user_namespaces, **changes)) == []


def test_every_pod_of_a_gang_is_lawful_under_restricted():
    peers = (Peer("node-a", (0,)), Peer("node-b", (0,)))
    spec = server_spec(gpu_type="cpu", gpus=0, slots=(0,), peers=peers)

    assert broken(gang.member(manifest(gpu_type="cpu", gpus=0), spec, 1, KubeSettings())) == []


def box(security):
    made = manifest()
    made["spec"]["containers"][0] = merged(made["spec"]["containers"][0], {"securityContext": security})
    return made


@pytest.mark.parametrize(
    ("pod", "rule"),
    [
        (merged(manifest(), {"spec": {"hostNetwork": True}}), "hostNetwork is the node's"),
        (merged(manifest(), {"spec": {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}}),
         "volume root is a hostPath"),
        (merged(manifest(), {"spec": {"volumes": [{"name": "tools", "image": {"reference": "a"}}]}}),
         "volume tools is a image"),
        (merged(manifest(), {"spec": {"securityContext": {"runAsUser": 0}}}), "the pod runs as root"),
        (merged(manifest(), {"spec": {"securityContext": {"runAsNonRoot": False}}}), "box: it may be root"),
        (merged(manifest(), {"spec": {"securityContext": {"seccompProfile": None}}}), "box: it has no seccomp profile"),
        (merged(manifest(), {"spec": {"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}}),
         "sysctl kernel.msgmax"),
        (box({"privileged": True}), "box: it is privileged"),
        (box({"allowPrivilegeEscalation": None}), "box: it may win privileges"),
        (box({"runAsUser": 0}), "box: it is root"),
        (box({"capabilities": {"drop": ["KILL"]}}), "box: it keeps capabilities"),
        (box({"capabilities": {"add": ["SYS_ADMIN"]}}), "box: it adds capabilities"),
        (box({"procMount": "Unmasked"}), "box: its /proc is unmasked"),
        (box({"seccompProfile": {"type": "Unconfined"}}), "box: it has no seccomp profile"),
    ],
)  # fmt: skip
def test_the_checker_sees_a_pod_that_breaks_a_rule(pod, rule):
    assert rule in broken(pod)
