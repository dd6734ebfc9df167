"""A gang on Kubernetes: a pod a node, which find each other by name and reach each other by SSH. Pure but for new keys.

Each pod's name is its hostname under a headless Service, `work-1.gd-…` (https://kubernetes.io/docs/concepts/services-networking/
dns-pod-service/#pod-hostname-and-subdomain-field); the Service shows them before they are ready. One pair of keys an attempt
lets the person's own user into all of them; the host key is the same in all, and known.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from gpudev_sdk.domain.server import Phase, Presence, ServerSpec, Sighting
from gpudev_sdk.kube import names, pod
from gpudev_sdk.kube.kinds import SECRET, SERVICE, Json
from gpudev_sdk.kube.settings import KubeSettings

#: Where the keys lie in a box, and what the files of the record are called.
KEYS = "/run/gpudev-gang"
_KEY, _ALLOWED = "id_ed25519", "authorized_keys"
_FILES = ("hostfile", "ssh_config", "known_hosts")
#: Where PyTorch and its like look for the first node, on a port that we use for nothing else.
MASTER_PORT = 29500
#: The SSH client of the tools reads its settings here; one that an image brings reads this folder.
_OURS, _THEIRS = f"{pod.TOOLS}/etc/ssh_config", "/etc/ssh/ssh_config.d/gpudev.conf"


def members(spec: ServerSpec) -> list[ServerSpec]:
    """Return what each pod is to be, by rank: the spec itself for one node. The disk is rank 0's."""
    return [
        attrs.evolve(spec, node=share.node, slots=share.slots, mount=None if rank else spec.mount)
        for rank, share in enumerate(spec.shares)
    ]


def hosts(spec: ServerSpec) -> list[str]:
    """Return the short names of the nodes, by rank: `work-0`, `work-1`."""
    return [f"{spec.name}-{rank}" for rank in range(len(spec.peers))]


def files(spec: ServerSpec, service: str) -> dict[str, str]:
    """Return what the record of a gang holds beside what every record does: who is in it, and how they are reached."""
    return {
        "hostfile": "".join(f"{host}.{service} slots={max(1, spec.gpus)}\n" for host in hosts(spec)),
        "ssh_config": _ssh_config(hosts(spec), service),
        "known_hosts": _known_hosts(spec, service),
    }


def _ssh_config(short: list[str], service: str) -> str:
    names_, long = " ".join(short), " ".join(f"{host}.{service}" for host in short)
    return f"""# The nodes of this reservation, by gpudev.
Host {names_}
    HostName %h.{service}
Host {names_} {long}
    Port {pod.PORT}
    User {pod.USER}
    IdentityFile {KEYS}/{_KEY}
    HostKeyAlias {service}
    GlobalKnownHostsFile {pod.BOOT}/known_hosts
    UserKnownHostsFile /dev/null
    StrictHostKeyChecking yes
"""


def _known_hosts(spec: ServerSpec, service: str) -> str:
    try:
        key = load_ssh_private_key(spec.files["host_key"], None)
    except (KeyError, ValueError):
        return ""
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{service} {public}\n"


def keys(metadata: Json) -> Json:
    """Return a Secret with a fresh pair of keys, by which the pods of a gang let each other in."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    content = {
        _KEY: key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        _ALLOWED: public + b" gpudev-gang\n",
    }
    data = {name: base64.b64encode(text).decode() for name, text in content.items()}
    return SECRET.body(metadata, type="Opaque", data=data)


def service(metadata: Json) -> Json:
    """Return what gives the pods of a gang their names, also while they start: they wait for each other."""
    labels = metadata["labels"]
    selector = {name: labels[name] for name in (names.INSTALL, names.RESERVATION, names.ATTEMPT)}
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": selector}
    return SERVICE.body(metadata, spec=spec)


def member(made: Json, spec: ServerSpec, rank: int, settings: KubeSettings) -> Json:
    """Return the pod of one rank, made of what it would be alone; `spec` is the whole gang's."""
    metadata, body = made["metadata"], made["spec"]
    owner = metadata["name"]
    place = {names.RANK: str(rank), names.NODES: str(len(spec.peers))}
    init, box = body["initContainers"][0], body["containers"][0]
    return {
        **made,
        "metadata": {
            **metadata,
            "name": names.rank_name(owner, rank),
            "labels": metadata["labels"] | {names.RANK: str(rank)},
            "annotations": metadata["annotations"] | place,
        },
        "spec": {
            **body,
            "hostname": hosts(spec)[rank],
            "subdomain": owner,
            # So that the short names are found too, by more than SSH.
            "dnsConfig": {"searches": [f"{owner}.{settings.namespace}.svc.{settings.cluster_domain}"]},
            "initContainers": [_bringing(init)],
            "containers": [
                {
                    **box,
                    "env": [*box["env"], *_environment(spec, rank, owner)],
                    "volumeMounts": [*box["volumeMounts"], *_mounts()],
                }
            ],
            "volumes": [*map(_with_files, body["volumes"]), _keys_volume(owner)],
        },
    }


def _environment(spec: ServerSpec, rank: int, service: str) -> list[Json]:
    env = {
        "GPUDEV_NODES": len(spec.peers),
        "GPUDEV_RANK": rank,
        "NODE_RANK": rank,
        "MASTER_ADDR": f"{hosts(spec)[0]}.{service}",
        "MASTER_PORT": MASTER_PORT,
    }
    return [{"name": name, "value": str(value)} for name, value in env.items()]


def _bringing(init: Json) -> Json:
    """Let the tools come with the settings of their SSH client."""
    busybox, shell, flag, bring = init["command"]
    settings = f"{busybox} mkdir -p /target/etc && {busybox} cp {pod.BOOT}/ssh_config /target/etc/ssh_config"
    return {
        **init,
        "command": [busybox, shell, flag, f"({bring}) && {settings}"],
        "volumeMounts": [*init["volumeMounts"], {"name": "boot", "mountPath": pod.BOOT, "readOnly": True}],
    }


def _mounts() -> list[Json]:
    return [
        {"name": "gang", "mountPath": KEYS, "readOnly": True},
        {"name": "boot", "mountPath": _THEIRS, "subPath": "ssh_config", "readOnly": True},
    ]


def _with_files(volume: Json) -> Json:
    if volume["name"] != "boot":
        return volume
    known = volume["configMap"]
    more = [{"key": name, "path": name} for name in _FILES]
    return {**volume, "configMap": {**known, "items": [*known["items"], *more]}}


def _keys_volume(owner: str) -> Json:
    # Of root, readable by the person's group: an SSH client minds only what is its own user's and open to others.
    return {"name": "gang", "secret": {"secretName": owner + names.GANG_SUFFIX, "defaultMode": 0o440}}


def together(pods: Sequence[Json], seen: Sequence[Sighting]) -> Sighting:
    """Return what is there of a gang: its pods by rank, and what was seen of each."""
    count = names.nodes_of(pods[0])
    told = [
        attrs.evolve(sighting, reason=f"node {names.rank_of(item)}{_on(item)}: {sighting.reason}")
        for item, sighting in zip(pods, seen, strict=True)
    ]
    for sighting in told:
        if sighting.phase is Phase.FINISHED:
            return sighting
    for sighting in told:
        if sighting.presence is Presence.UNKNOWN:
            return sighting
    digests = {sighting.files_digest for sighting in seen}
    whole = attrs.evolve(seen[0], files_digest=digests.pop() if len(digests) == 1 else None)
    if len(pods) < count:
        reason = f"{len(pods)} of {count} pods are there"
        return attrs.evolve(whole, phase=Phase.STARTING, reason=reason, endpoint=None, incomplete=True)
    for sighting, plain in zip(told, seen, strict=True):
        if plain.phase is not Phase.READY:
            return attrs.evolve(sighting, phase=Phase.STARTING, endpoint=None, files_digest=whole.files_digest)
    reasons = [sighting.reason for sighting, plain in zip(told, seen, strict=True) if plain.reason]
    return attrs.evolve(whole, reason="; ".join(reasons)[:400])


def _on(item: Json) -> str:
    where = item["spec"].get("nodeName")
    return f" ({where})" if where else ""
