"""What every pod is held to, whatever the values say."""

from __future__ import annotations

import re

import pytest
import yaml

from gpudev_sdk.kube import policy
from tests.chart.rendering import BOXES, CONTROL, SHAPES, component, containers, kinds, one, pods, render, shape

#: The kubelet's folder of sockets is root's, so that one pod is too: https://github.com/NVIDIA/k8s-device-plugin
ROOT = {"device-plugin"}
#: Who may ask the cluster's API anything.
WITH_TOKEN = {"processor", "availability", "first-secrets"}
SECRETS = ("owner-dsn", "api-dsn", "engine-dsn", "nonce-secret", "host-ca", "gateway-key", "control-plane-id")


@pytest.mark.parametrize("name", SHAPES)
def test_every_container_is_lawful_under_restricted_pod_security_with_a_read_only_root(name):
    wrong = []
    for _, pod in pods(shape(name)):
        for each in containers(pod):
            held = each.get("securityContext", {})
            lawful = (
                held.get("allowPrivilegeEscalation") is False
                and held.get("readOnlyRootFilesystem") is True
                and held.get("capabilities") == {"drop": ["ALL"]}
            )
            wrong += [] if lawful else [(component(pod), each["name"])]

    assert wrong == []


@pytest.mark.parametrize("name", SHAPES)
def test_every_pod_is_an_ordinary_user_under_seccomp(name):
    for _, pod in pods(shape(name)):
        held = pod["spec"]["securityContext"]
        assert held["seccompProfile"] == {"type": "RuntimeDefault"}, component(pod)
        if component(pod) not in ROOT:
            assert held["runAsNonRoot"] is True, component(pod)
            assert held["runAsUser"] > 0, component(pod)


@pytest.mark.parametrize("name", SHAPES)
def test_a_pod_that_is_root_or_sees_the_node_is_where_only_such_are(name):
    for namespace, pod in pods(shape(name)):
        sees = any("hostPath" in volume for volume in pod["spec"].get("volumes", []))
        assert (component(pod) in ROOT) == sees == (namespace not in (CONTROL, BOXES))
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"])


@pytest.mark.parametrize("name", SHAPES)
def test_only_who_needs_it_has_a_token_of_the_cluster(name):
    found = {component(pod): pod["spec"]["automountServiceAccountToken"] for _, pod in pods(shape(name))}

    assert {each for each, has in found.items() if has} == WITH_TOKEN & set(found)
    assert {each["automountServiceAccountToken"] for each in kinds(shape(name), "ServiceAccount")} == {False}


@pytest.mark.parametrize("name", SHAPES)
def test_every_container_says_what_it_needs_and_may_take(name):
    for _, pod in pods(shape(name)):
        for each in containers(pod):
            assert set(each["resources"]["requests"]) == {"cpu", "memory"}, component(pod)
            assert "memory" in each["resources"]["limits"], component(pod)


@pytest.mark.parametrize("name", SHAPES)
def test_no_image_is_unnamed_or_latest(name):
    for _, pod in pods(shape(name)):
        for each in containers(pod):
            assert re.search(r":[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?$", each["image"]), each["image"]
            assert not each["image"].endswith(":latest")


@pytest.mark.parametrize("name", SHAPES)
def test_secrets_are_files_and_never_words_of_an_environment_or_a_command(name):
    for _, pod in pods(shape(name)):
        for each in containers(pod):
            assert "envFrom" not in each
            assert not [word for word in each.get("env", []) if "valueFrom" in word]
        for volume in pod["spec"].get("volumes", []):
            held = volume.get("secret") or volume.get("projected")
            assert held is None or held["defaultMode"] == 0o400


def test_a_given_password_is_in_one_secret_that_goes_and_nowhere_else():
    things = render("--set", "postgres.auth.password=s3cret-word")
    having = [thing for thing in things if "s3cret-word" in yaml.safe_dump(thing)]

    assert [(each["kind"], each["metadata"]["name"]) for each in having] == [("Secret", "gpu-dev-given")]
    assert "hook-succeeded" in having[0]["metadata"]["annotations"]["helm.sh/hook-delete-policy"]


@pytest.mark.parametrize("name", [each for each in SHAPES if each not in ("kind", "no-hooks")])
def test_without_a_password_no_secret_is_rendered(name):
    assert kinds(shape(name), "Secret") == []


def test_each_component_sees_the_secrets_that_it_needs():
    seen = {}
    for _, pod in pods(shape("default")):
        (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "secrets"] or [{}]
        sources = volume.get("projected", {}).get("sources", [])
        files = {item["path"] for source in sources for item in source["secret"]["items"]}
        seen[component(pod)] = set(SECRETS) & files

    assert {name: files for name, files in seen.items() if files} == {
        "api": {"api-dsn", "nonce-secret"},
        "processor": {"engine-dsn", "host-ca", "control-plane-id"},
        "gateway": {"api-dsn", "gateway-key"},
        "availability": {"engine-dsn", "host-ca", "control-plane-id"},
        "expiry": {"engine-dsn"},
        "migrate": {"owner-dsn", "api-dsn", "engine-dsn"},
    }


def test_the_secrets_of_an_operator_are_taken_and_none_is_made():
    things = shape("external-database")
    (api,) = [pod for _, pod in pods(things) if component(pod) == "api"]
    (volume,) = [each for each in api["spec"]["volumes"] if each["name"] == "secrets"]

    named = [source["secret"]["name"] for source in volume["projected"]["sources"]]
    assert named == ["gpudev-database", "gpudev-keys", "gpudev-tls"]
    assert "first-secrets" not in {component(pod) for _, pod in pods(things)}


def test_the_engine_has_the_rights_that_its_page_lists_and_no_other():
    things = shape("aws")
    wanted = {(each["kind"], each["metadata"]["name"]): each["rules"] for each in policy.roles()}
    cluster = "gpu-dev.gpu-controlplane"

    assert one(things, "Role", "gpu-dev-engine")["rules"] == wanted["Role", "gpudev-engine"]
    assert one(things, "ClusterRole", f"{cluster}.nodes")["rules"] == wanted["ClusterRole", "gpudev-engine"]
    assert one(things, "ClusterRole", f"{cluster}.volumes")["rules"] == wanted["ClusterRole", "gpudev-engine-volumes"]
    assert one(things, "ClusterRole", f"{cluster}.counting")["rules"] == wanted["ClusterRole", "gpudev-engine-counting"]


@pytest.mark.parametrize("name", SHAPES)
def test_no_right_is_a_star_and_no_secret_can_be_read_over_the_cluster(name):
    things = shape(name)
    rules = [
        (each["kind"], rule)
        for kind in ("Role", "ClusterRole")
        for each in kinds(things, kind)
        for rule in each["rules"]
    ]

    assert not [rule for _, rule in rules if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"]]
    assert not [rule for kind, rule in rules if kind == "ClusterRole" and "secrets" in rule["resources"]]
    assert not [rule for _, rule in rules if set(rule["resources"]) & {"pods/exec", "pods/attach", "pods/portforward"}]


def test_the_first_secrets_job_may_make_secrets_and_look_at_its_own():
    rules = one(shape("default"), "Role", "gpu-dev-first-secrets")["rules"]

    assert [(rule["verbs"], rule.get("resourceNames")) for rule in rules] == [
        (["create"], None),
        (["get"], ["gpu-dev-secrets", "gpu-dev-authority"]),
    ]


@pytest.mark.parametrize("name", SHAPES)
def test_every_right_goes_to_an_account_that_a_pod_has(name):
    things = shape(name)
    accounts = {(ns, pod["spec"].get("serviceAccountName", "default")) for ns, pod in pods(things)}
    for binding in [*kinds(things, "RoleBinding"), *kinds(things, "ClusterRoleBinding")]:
        role = binding["roleRef"]
        assert one([each for each in things if _same_place(each, binding)], role["kind"], role["name"])
        assert {(each["namespace"], each["name"]) for each in binding["subjects"]} <= accounts


def _same_place(thing, binding):
    return thing["metadata"].get("namespace") == binding["metadata"].get("namespace")
