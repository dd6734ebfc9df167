"""Network policies and roles, as whole objects."""

from __future__ import annotations

import ipaddress

import pytest

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.kube import names, policy
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.objects import INSTALL, RESERVATION

LABELS = {"gpudev.io/install": str(INSTALL), "gpudev.io/part": "policy"}
BOXES = {"matchLabels": {"gpudev.io/install": str(INSTALL), "gpudev.io/part": "server"}}


def named(name, spec):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "lab", "labels": LABELS},
        "spec": spec,
    }


def test_boxes_are_fenced_in():
    settings = KubeSettings(
        namespace="lab",
        gateway_namespace="door",
        gateway_labels={"app": "gateway"},
        closed_networks=["10.0.0.0/8", "fd00::/8"],
    )

    assert policy.network_policies(settings, INSTALL) == [
        named("gd-aabbccdd-closed", {"podSelector": BOXES, "policyTypes": ["Ingress", "Egress"]}),
        named(
            "gd-aabbccdd-gateway",
            {
                "podSelector": BOXES,
                "policyTypes": ["Ingress"],
                "ingress": [
                    {
                        "from": [
                            {
                                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "door"}},
                                "podSelector": {"matchLabels": {"app": "gateway"}},
                            }
                        ],
                        "ports": [{"protocol": "TCP", "port": 2222}],
                    }
                ],
            },
        ),
        named(
            "gd-aabbccdd-out",
            {
                "podSelector": BOXES,
                "policyTypes": ["Egress"],
                "egress": [
                    {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
                    {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16", "10.0.0.0/8"]}}]},
                    {
                        "to": [
                            {
                                "ipBlock": {
                                    "cidr": "::/0",
                                    "except": ["fd00:ec2::254/128", "fd20:ce::254/128", "fe80::/10", "fd00::/8"],
                                }
                            }
                        ]
                    },
                ],
            },
        ),
    ]


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "10.96.0.1", "172.20.0.1", "192.168.1.1"])
def test_no_box_reaches_the_metadata_of_a_cloud_or_a_private_network(address):
    out = policy.network_policies(KubeSettings(), INSTALL)[2]["spec"]["egress"]
    target = ipaddress.ip_address(address)

    blocks = [to["ipBlock"] for rule in out for to in rule.get("to", [])]
    reached = [
        block
        for block in blocks
        if target in ipaddress.ip_network(block["cidr"])
        and not any(target in ipaddress.ip_network(net) for net in block["except"])
    ]

    assert blocks
    assert reached == []


def test_the_pods_of_one_server_may_talk_to_each_other():
    labels = names.server_labels(INSTALL, ServerId(RESERVATION, 2))
    gang = {"matchLabels": {name: value for name, value in labels.items() if name != names.PART}}
    metadata = {"name": "gd-1", "labels": labels}

    assert policy.gang_policy(metadata) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": gang,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": gang}]}],
            "egress": [{"to": [{"podSelector": gang}]}],
        },
    }


def test_the_engine_has_these_rights_and_no_others():
    everything = ["create", "get", "list", "watch", "patch", "update", "delete"]
    rights = "rbac.authorization.k8s.io/v1"

    def rule(group, resources, verbs):
        return {"apiGroups": [group], "resources": resources, "verbs": verbs}

    assert policy.roles() == [
        {
            "apiVersion": rights,
            "kind": "Role",
            "metadata": {"name": "gpudev-engine"},
            "rules": [
                rule("", ["pods", "configmaps", "secrets", "persistentvolumeclaims"], everything),
                rule("", ["services"], ["create"]),
                rule("", ["events"], ["list"]),
                rule("snapshot.storage.k8s.io", ["volumesnapshots"], everything),
                rule("networking.k8s.io", ["networkpolicies"], ["create", "get", "patch", "delete"]),
            ],
        },
        {
            "apiVersion": rights,
            "kind": "ClusterRole",
            "metadata": {"name": "gpudev-engine"},
            "rules": [
                rule("", ["nodes"], ["get", "list", "watch"]),
                rule("storage.k8s.io", ["storageclasses"], ["get", "list"]),
                rule("storage.k8s.io", ["csinodes", "volumeattachments"], ["list"]),
            ],
        },
        {
            "apiVersion": rights,
            "kind": "ClusterRole",
            "metadata": {"name": "gpudev-engine-volumes"},
            "rules": [rule("", ["persistentvolumes"], ["create", "delete"])],
        },
        {
            "apiVersion": rights,
            "kind": "ClusterRole",
            "metadata": {"name": "gpudev-engine-counting"},
            "rules": [rule("", ["pods"], ["list", "watch"])],
        },
    ]


def rules(kind):
    return [rule for role in policy.roles() if role["kind"] == kind for rule in role["rules"]]


def test_no_right_is_for_everything():
    every = [word for rule in (*rules("Role"), *rules("ClusterRole")) for words in rule.values() for word in words]

    assert not any("*" in word for word in every)


def test_nobodys_secrets_are_read_but_those_of_the_namespace():
    assert not any("secrets" in rule["resources"] for rule in rules("ClusterRole"))


def test_nothing_is_changed_outside_the_namespace_but_volumes_where_they_are_not_the_clusters_own():
    changing = [rule for rule in rules("ClusterRole") if not set(rule["verbs"]) <= {"get", "list", "watch"}]

    assert [(rule["resources"], rule["verbs"]) for rule in changing] == [(["persistentvolumes"], ["create", "delete"])]


def test_nobody_gets_into_a_box_by_the_cluster():
    every = {name for rule in (*rules("Role"), *rules("ClusterRole")) for name in rule["resources"]}

    assert not any("/" in name for name in every)
