"""Who may talk to whom, and what we may do: objects for a cluster, made of the settings. Pure.

https://kubernetes.io/docs/concepts/services-networking/network-policies/ ; what a cluster's network does not enforce is only
written down there.
"""

from __future__ import annotations

import ipaddress
import uuid

from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import CLUSTER_ROLE, NETWORK_POLICY, ROLE, Json
from gpudev_sdk.kube.pod import PORT
from gpudev_sdk.kube.settings import KubeSettings

__all__ = ["NETWORK_POLICY", "network_policies", "roles"]

#: Where clouds answer questions about the machine, its credentials among them.
METADATA_SERVICES = ("169.254.0.0/16", "fd00:ec2::254/128", "fd20:ce::254/128", "fe80::/10")
#: The namespace label that every cluster sets by itself.
_NAMESPACE = "kubernetes.io/metadata.name"


def network_policies(settings: KubeSettings, install: uuid.UUID) -> list[Json]:
    """Return what fences the boxes of an install in: nothing comes in but the gateway and one's own gang, and what goes
    out reaches names and the internet, but no metadata service and no private network."""
    short = names.claim_name(install).removesuffix("-claim")
    boxes = {"matchLabels": {names.INSTALL: str(install), names.PART: "server"}}
    gateway = {
        "namespaceSelector": {"matchLabels": {_NAMESPACE: settings.gateway_namespace}},
        "podSelector": {"matchLabels": dict(settings.gateway_labels)},
    }
    return [
        _policy(settings, install, f"{short}-closed", {"podSelector": boxes, "policyTypes": ["Ingress", "Egress"]}),
        _policy(
            settings,
            install,
            f"{short}-gateway",
            {
                "podSelector": boxes,
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [gateway], "ports": [{"protocol": "TCP", "port": PORT}]}],
            },
        ),
        _policy(
            settings,
            install,
            f"{short}-out",
            {"podSelector": boxes, "policyTypes": ["Egress"], "egress": [_names(), *_internet(settings)]},
        ),
    ]


def gang_policy(metadata: Json) -> Json:
    """Return what lets the pods of one server talk to each other, whatever the port; its labels say which they are."""
    labels = {name: metadata["labels"][name] for name in (names.INSTALL, names.RESERVATION, names.ATTEMPT)}
    gang = {"matchLabels": labels}
    spec = {
        "podSelector": gang,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": gang}]}],
        "egress": [{"to": [{"podSelector": gang}]}],
    }
    return NETWORK_POLICY.body(metadata, spec=spec)


def roles() -> list[Json]:
    """Return the rights of the engine: in its namespace what it makes, and of the cluster the nodes to look at.

    `gpudev-engine-counting` is for clusters where other people's pods shall be counted, `gpudev-engine-volumes` for storage that
    is not the cluster's own; bind them or leave them.
    """
    everything = ["create", "get", "list", "watch", "patch", "update", "delete"]
    return [
        ROLE.body(
            {"name": "gpudev-engine"},
            rules=[
                _rule("", ["pods", "configmaps", "secrets", "persistentvolumeclaims"], everything),
                _rule("", ["services"], ["create"]),
                _rule("", ["events"], ["list"]),
                _rule("snapshot.storage.k8s.io", ["volumesnapshots"], everything),
                _rule("networking.k8s.io", ["networkpolicies"], ["create", "get", "patch", "delete"]),
            ],
        ),
        CLUSTER_ROLE.body(
            {"name": "gpudev-engine"},
            rules=[
                _rule("", ["nodes"], ["get", "list", "watch"]),
                _rule("storage.k8s.io", ["storageclasses"], ["get", "list"]),
                _rule("storage.k8s.io", ["csinodes", "volumeattachments"], ["list"]),
            ],
        ),
        CLUSTER_ROLE.body(
            {"name": "gpudev-engine-volumes"}, rules=[_rule("", ["persistentvolumes"], ["create", "delete"])]
        ),
        CLUSTER_ROLE.body({"name": "gpudev-engine-counting"}, rules=[_rule("", ["pods"], ["list", "watch"])]),
    ]


def _policy(settings: KubeSettings, install: uuid.UUID, name: str, spec: Json) -> Json:
    labels = {names.INSTALL: str(install), names.PART: "policy"}
    return NETWORK_POLICY.body({"name": name, "namespace": settings.namespace, "labels": labels}, spec=spec)


def _names() -> Json:
    """DNS, wherever the cluster has it."""
    return {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}


def _internet(settings: KubeSettings) -> list[Json]:
    closed = [*METADATA_SERVICES, *settings.closed_networks]
    return [
        {"to": [{"ipBlock": {"cidr": world, "except": [net for net in closed if _version(net) == version]}}]}
        for world, version in (("0.0.0.0/0", 4), ("::/0", 6))
    ]


def _version(network: str) -> int:
    return ipaddress.ip_network(network, strict=False).version


def _rule(group: str, resources: list[str], verbs: list[str]) -> Json:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
