"""The pod of a dev server: one pure function from a spec to a manifest, tested as a whole object.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ ; the pod is lawful under
*restricted* of https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import uuid

import attrs

from gpudev_sdk.domain.disk import MountKind
from gpudev_sdk.domain.server import ServerSpec, digest_files
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.kube import names, profiles, quantity
from gpudev_sdk.kube.kinds import POD, Json
from gpudev_sdk.kube.settings import KubeSettings

#: Who a person is in a box.
USER, HOME = "dev", "/home/dev"
PORT = 2222
#: Where the SSH server and its scripts lie in a box, and what they keep there.
TOOLS, BOOT, STATE, RUN = "/opt/gpudev", "/etc/gpudev", "/run/gpudev-boot", "/run/gpudev"
SHELL = f"{TOOLS}/bin/enter"
_BUSYBOX = f"{TOOLS}/bin/busybox"
#: The tools are read-only; after a restart of the node they may be there already, whole or in part.
_BRING = f"{_BUSYBOX} chmod -R u+w /target/* 2>/dev/null; exec {_BUSYBOX} cp -RPf {TOOLS}/. /target/"
#: A node that is out of touch keeps its boxes: by default its pods would be deleted after five minutes, and killed when it is
#: back. https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
_THROUGH_SILENCE = [
    {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute"}
    for what in ("not-ready", "unreachable")
]
BOOT_FILES = ("start.sh", "listening.sh", "sshd_config")
ACCOUNTS = ("passwd", "group")


@attrs.frozen(kw_only=True)
class Ground:
    """What a manifest needs beside the spec."""

    install: uuid.UUID
    settings: KubeSettings
    #: The server's record, which owns the pod.
    record: Json
    #: What the node offers the GPUs as; empty for a box without.
    resource: str
    #: Whether the node's runtime can give the pod users of its own.
    user_namespaces: bool


def manifest(spec: ServerSpec, ground: Ground) -> Json:
    """Return the pod of a server. Raises Unworkable for a mount that no pod can have."""
    settings, profile = ground.settings, profiles.of(spec.profile)
    body: Json = {
        **profile.host_users(ground.user_namespaces),
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostname": spec.name,
        "affinity": _only_on(spec.node),
        "tolerations": [{"key": key, "operator": "Exists"} for key in settings.tolerations] + _THROUGH_SILENCE,
        "securityContext": profile.of_pod(),
        "initContainers": [_tools(spec, settings)],
        "containers": [_box(spec, ground)],
        "volumes": _volumes(spec, ground),
    }
    if settings.pull_secrets:
        body["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    return POD.body(_metadata(spec, ground), spec=body)


def accounts(profile: str | None) -> dict[str, str]:
    """Return who is who in a box: whatever its image says, only these are there. Root of a box has them beside its image's."""
    uid = profiles.of(profile).uid
    group = "" if uid == 0 else f"{USER}:x:{uid}:\n"
    return {
        "passwd": (
            f"root:x:0:0:root:/root:/bin/sh\n{USER}:x:{uid}:{uid}:{USER}:{HOME}:{SHELL}\n"
            "sshd:x:999:999:sshd:/run:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n"
        ),
        "group": f"root:x:0:\n{group}tty:x:5:\nsshd:x:999:\nnogroup:x:65534:\n",
    }


def run_files_name(ground: Ground) -> str:
    """Return the name of the Secret with the files of /run/gpudev."""
    return str(ground.record["metadata"]["name"]) + names.FILES_SUFFIX


def env_name(ground: Ground) -> str:
    """Return the name of the Secret with the person's own environment."""
    return str(ground.record["metadata"]["name"]) + names.ENV_SUFFIX


def _metadata(spec: ServerSpec, ground: Ground) -> Json:
    return {
        "name": ground.record["metadata"]["name"],
        "labels": names.server_labels(ground.install, spec.server_id) | {names.GPU_TYPE: spec.gpu_type},
        "annotations": {
            names.FILES: digest_files(spec.files),
            names.SLOTS: ",".join(map(str, spec.slots)),
            names.NAME: spec.name,
            names.OWNER: spec.owner,
        },
        "finalizers": [names.FINALIZER],
        "ownerReferences": names.owned_by(ground.record),
    }


def _only_on(node: str) -> Json:
    """The scheduler places the pod on the planned node or says why not; a bare nodeName would ask nobody."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _tools(spec: ServerSpec, settings: KubeSettings) -> Json:
    """Bring the SSH server into the pod; with all of its share, as only then its memory is guaranteed."""
    return {
        "name": "tools",
        "image": settings.tools_image,
        "imagePullPolicy": "IfNotPresent",
        "command": [_BUSYBOX, "sh", "-c", _BRING],
        "securityContext": profiles.of(None).of_container(),
        "resources": _requested(_share(spec)),
        "volumeMounts": [{"name": "tools", "mountPath": "/target"}],
    }


def _box(spec: ServerSpec, ground: Ground) -> Json:
    profile = profiles.of(spec.profile)
    container: Json = {
        "name": "box",
        "image": spec.image or ground.settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [_BUSYBOX, "sh", f"{BOOT}/start.sh"],
        "workingDir": HOME,
        "env": [
            {"name": name, "value": value} for name, value in _environment(spec, ground.settings.grace_seconds).items()
        ],
        "ports": [{"name": "ssh", "containerPort": PORT}],
        "securityContext": profile.of_container(),
        "resources": _resources(spec, ground),
        # A startup probe looks once a second, counted from before the box runs: half a second more in the middle.
        "lifecycle": {"postStart": {"exec": {"command": [_BUSYBOX, "sh", f"{BOOT}/listening.sh"]}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(profile),
    }
    if spec.env:
        container["envFrom"] = [{"secretRef": {"name": env_name(ground)}}]
    return container


def _environment(spec: ServerSpec, grace: int) -> dict[str, str]:
    env = {
        "HOME": HOME,
        "USER": USER,
        "GPUDEV_RUN": RUN,
        "GPUDEV_NAME": spec.name,
        "GPUDEV_GRACE": str(grace),
    }
    if spec.cpus is not None:
        # Libraries count the node's CPUs and would start a thread for each.
        threads = str(max(1, int(spec.cpus)))
        env |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    if not spec.gpus:
        # NVIDIA's runtime believes an image that says it wants all GPUs.
        env["NVIDIA_VISIBLE_DEVICES"] = "void"
    return env


def _resources(spec: ServerSpec, ground: Ground) -> Json:
    amounts = _share(spec)
    if spec.gpus and ground.resource:
        amounts[ground.resource] = str(spec.gpus)
    return _requested(amounts)


def _share(spec: ServerSpec) -> dict[str, str]:
    amounts = {}
    if spec.cpus is not None:
        amounts["cpu"] = quantity.cpus(spec.cpus)
    if spec.memory_bytes is not None:
        amounts["memory"] = quantity.size(spec.memory_bytes)
    return amounts


def _requested(amounts: dict[str, str]) -> Json:
    """Whoever gets exactly what they ask for is the last whom a node in need ends."""
    return {"requests": amounts, "limits": dict(amounts)}


def _mounts(profile: profiles.Profile) -> list[Json]:
    # Root of a box adds users of its own: it keeps the image's files, and ours are put in by the start script.
    over = [] if profile.is_root else list(ACCOUNTS)
    return [
        {"name": "tools", "mountPath": TOOLS, "readOnly": True},
        {"name": "boot", "mountPath": BOOT, "readOnly": True},
        *({"name": "boot", "mountPath": f"/etc/{name}", "subPath": name, "readOnly": True} for name in over),
        {"name": "run", "mountPath": RUN, "readOnly": True},
        {"name": "state", "mountPath": STATE},
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "home", "mountPath": HOME},
    ]


def _volumes(spec: ServerSpec, ground: Ground) -> list[Json]:
    record = ground.record["metadata"]["name"]
    shm: Json = {"medium": "Memory"}
    if spec.memory_bytes is not None:
        shm["sizeLimit"] = quantity.size(spec.memory_bytes * ground.settings.shared_memory)
    run = {"secret": {"name": run_files_name(ground)}}
    return [
        {"name": "tools", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "boot", "configMap": {"name": record, "items": _items(*BOOT_FILES, *ACCOUNTS)}},
        {"name": "run", "projected": {"sources": [run], "defaultMode": profiles.of(spec.profile).key_mode}},
        {"name": "state", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "shm", "emptyDir": shm},
        {"name": "home", **_home(spec, ground.settings)},
    ]


def _items(*keys: str) -> list[Json]:
    return [{"key": key, "path": key} for key in keys]


def _home(spec: ServerSpec, settings: KubeSettings) -> Json:
    if spec.mount is None:
        return {"emptyDir": {"sizeLimit": quantity.size(settings.scratch_bytes)}}
    if spec.mount.kind is not MountKind.CLAIM:
        raise Unworkable(f"a pod cannot have a disk by {spec.mount.kind.value}; its storage must give a claim")
    return {"persistentVolumeClaim": {"claimName": spec.mount.source}}
