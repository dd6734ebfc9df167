"""What a box of each profile may do, and where it can be had."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.profiles import PROFILING, ROOT
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.kube import catalogue, pod, profiles
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube import restricted
from tests.unit.kube.objects import node, server_spec
from tests.unit.kube.test_pod import box_of, ground, volume

#: What *baseline* lets a container add: https://kubernetes.io/docs/concepts/security/pod-security-standards/
BASELINE = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
}  # fmt: skip


def made(profile, **more):
    return pod.manifest(server_spec(profile=profile), ground(**more))


def added(manifest):
    return set(box_of(manifest)["securityContext"]["capabilities"].get("add", ()))


def test_an_ordinary_box_has_no_power():
    assert restricted.broken(made(None)) == []


def test_root_of_a_box_is_nobody_on_its_node():
    manifest = made(ROOT)

    assert manifest["spec"]["hostUsers"] is False
    assert manifest["spec"]["securityContext"]["runAsUser"] == 0
    assert added(manifest) <= BASELINE - {"MKNOD"}
    assert box_of(manifest)["securityContext"]["capabilities"]["drop"] == ["ALL"]


def test_root_of_a_box_is_not_to_be_had_where_it_would_be_somebody():
    with pytest.raises(Unworkable):
        made(ROOT, user_namespaces=False)


def test_profiling_looks_at_the_nodes_own_counters():
    manifest = made(PROFILING)

    assert "hostUsers" not in manifest["spec"]
    assert added(manifest) - BASELINE == {"SYS_ADMIN"}
    assert "privileged" not in box_of(manifest)["securityContext"]


@pytest.mark.parametrize("profile", [ROOT, PROFILING])
def test_what_brings_the_tools_has_no_power_whatever_the_profile(profile):
    (tools,) = made(profile)["spec"]["initContainers"]

    assert tools["securityContext"] == profiles.of(None).of_container()


def test_roots_ssh_server_finds_its_key_closed_to_all_others():
    manifest = made(ROOT)

    assert volume(manifest, "run")["projected"]["defaultMode"] == 0o400
    assert "fsGroup" not in manifest["spec"]["securityContext"]


def test_root_keeps_the_accounts_of_the_image():
    mounted = {mount["mountPath"] for mount in box_of(made(ROOT))["volumeMounts"]}

    assert not mounted & {"/etc/passwd", "/etc/group"}
    assert "\ndev:x:0:0:dev:/home/dev:/opt/gpudev/bin/enter\n" in pod.accounts(ROOT)["passwd"]


def test_an_unknown_profile_is_refused():
    with pytest.raises(Unworkable):
        made("godlike")


def types(settings, *nodes):
    return {kind.name: kind.profiles for kind in catalogue.gpu_types(catalogue.offers(settings, list(nodes)))}


ABLE = [{"name": "", "features": {"userNamespaces": True}}]


def with_runtime(made, handlers):
    made["status"]["runtimeHandlers"] = handlers
    return made


def test_nothing_is_offered_that_an_operator_did_not_say():
    assert types(KubeSettings(), with_runtime(node("a"), ABLE)) == {"cpu": ()}


def test_root_is_offered_where_every_node_of_the_type_can_have_users_of_its_own():
    settings = KubeSettings(profiles=[ROOT])

    assert types(settings, with_runtime(node("a"), ABLE)) == {"cpu": (ROOT,)}
    assert types(settings, with_runtime(node("a"), ABLE), with_runtime(node("b"), [])) == {"cpu": ()}
    assert types(attrs.evolve(settings, user_namespaces=False), with_runtime(node("a"), ABLE)) == {"cpu": ()}


def test_profiling_is_for_gpus():
    assert types(KubeSettings(profiles=[PROFILING]), node("a")) == {"cpu": ()}


def test_a_profile_that_nobody_knows_is_refused_in_the_settings():
    with pytest.raises(ValueError, match="godlike"):
        KubeSettings(profiles=["godlike"])
