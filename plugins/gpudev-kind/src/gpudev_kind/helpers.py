"""The short pods that work on folders, what became of them, and the namespace that lets them. Pure but for the namespace."""

from __future__ import annotations

import datetime as dt
import enum
import importlib.resources
import uuid

import attrs

from gpudev_kind.cards import Card, State
from gpudev_kind.settings import KindSettings
from gpudev_sdk.kube import names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectExists
from gpudev_sdk.kube.kinds import NAMESPACE, NETWORK_POLICY, POD, Json
from gpudev_sdk.kube.pod import TOOLS
from gpudev_sdk.kube.profiles import UID

#: Which part of an install the pods of volumes, and those of snapshots, are.
PARTS = {names.VOLUME: "volume-pod", names.SNAPSHOT: "snapshot-pod"}
#: Host paths need *privileged*: https://kubernetes.io/docs/concepts/security/pod-security-standards/
_LABELS = {
    "pod-security.kubernetes.io/enforce": "privileged",
    "app.kubernetes.io/name": "gpudev",
    "app.kubernetes.io/component": "disks",
}
#: Whose files a copy may read, and whose it may make them.
_POWERS = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD"]
#: A pod that cannot be placed, or whose image cannot be had, is given up after this long.
PATIENCE = dt.timedelta(minutes=2)
#: What the script says is final ends with one of these; a signal says nothing.
_SIGNALS = 128


class Outcome(enum.Enum):
    """What became of a pod."""

    WORKING = enum.auto()
    DONE = enum.auto()
    #: It said why, and would say so again.
    FAILED = enum.auto()
    #: It was killed or lost, and may be begun again.
    DIED = enum.auto()


@attrs.frozen(kw_only=True)
class End:
    """A look at a pod."""

    outcome: Outcome
    message: str = ""
    at: dt.datetime | None = None


def ensure_namespace(api: Api, more: dict[str, str]) -> None:
    """Make the namespace that `api` looks at, in which nothing talks to the network; one that is there stays as it is."""
    if api.find(NAMESPACE, api.namespace) is None:
        try:
            api.create(NAMESPACE, NAMESPACE.body({"name": api.namespace, "labels": _LABELS | more}))
        except ObjectExists:
            return
    closed = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    api.apply(NETWORK_POLICY, NETWORK_POLICY.body({"name": "closed"}, spec=closed))


def pod_name(card: Card) -> str:
    """Return the name of the pod that does what the card's state asks for."""
    return card.name + ("-remove" if card.state is State.REMOVING else "-make")


def pod(card: Card, source: Card | None, install: uuid.UUID, settings: KindSettings) -> Json:
    """Return the pod that makes a card's folder, empty or of a source, or removes it."""
    labels = {names.INSTALL: str(install), names.PART: PARTS[card.label], names.DISK: str(card.disk_id)}
    metadata = {
        "name": pod_name(card),
        "labels": labels | {card.label: str(card.id)},
        "ownerReferences": names.owned_by(card.item),
    }
    spec: Json = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "affinity": _on(card.node),
        # A disk can be saved from a node where nothing else may start.
        "tolerations": [{"operator": "Exists"}],
        "containers": [_container(card, source, install, settings)],
        "volumes": [{"name": "disks", "hostPath": {"path": card.folder, "type": "DirectoryOrCreate"}}],
    }
    if settings.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    return POD.body(metadata, spec=spec)


def _container(card: Card, source: Card | None, install: uuid.UUID, settings: KindSettings) -> Json:
    given = {
        "DO": "remove" if card.state is State.REMOVING else "make",
        "TARGET": f"/disks/{card.within}",
        "MARKER": card.marker(install),
        "SOURCE": f"/disks/{source.within}" if source else "",
        "SOURCE_MARKER": source.marker(install) if source else "",
        "OWNER": f"{UID}:{UID}",
        "FLOOR": str(settings.free_floor_bytes),
    }
    own_uid = {"fieldRef": {"fieldPath": "metadata.uid"}}
    return {
        "name": "folder",
        "image": settings.helper,
        "imagePullPolicy": "IfNotPresent",
        "command": [f"{TOOLS}/bin/busybox", "sh", "-c", _script()],
        "env": [
            *({"name": name, "value": value} for name, value in given.items()),
            {"name": "SELF", "valueFrom": own_uid},
        ],
        # Root, as a folder has to be given to its person, and as only root sees all of it.
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": _POWERS},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "256Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "disks", "mountPath": "/disks"}],
    }


def end_of(found: Json, now: dt.datetime) -> End:
    """Return what became of a pod."""
    status = found.get("status") or {}
    phase = status.get("phase")
    ended = (_state(status).get("terminated")) or {}
    if phase == "Succeeded":
        at = ended.get("finishedAt")
        return End(
            outcome=Outcome.DONE, message=ended.get("message") or "", at=dt.datetime.fromisoformat(at) if at else now
        )
    if phase == "Failed":
        return _failed(status, ended)
    why = _waiting(status)
    begun = dt.datetime.fromisoformat(found["metadata"]["creationTimestamp"])
    return End(outcome=Outcome.FAILED if why and now - begun > PATIENCE else Outcome.WORKING, message=why)


def _failed(status: Json, ended: Json) -> End:
    code = ended.get("exitCode")
    if ended.get("reason") == "OOMKilled":
        return End(outcome=Outcome.FAILED, message="it ran out of memory")
    if code is None or code >= _SIGNALS or status.get("reason"):
        return End(outcome=Outcome.DIED, message=status.get("message") or status.get("reason") or "it was killed")
    lines = (ended.get("message") or "").strip().splitlines() or [f"it ended with status {code}"]
    return End(outcome=Outcome.FAILED, message=lines[-1][:300])


def _waiting(status: Json) -> str:
    """Say what keeps a pod from starting, if it is more than time."""
    for each in status.get("conditions") or []:
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            return f"no place: {each.get('message') or each.get('reason')}"[:300]
    waiting = _state(status).get("waiting") or {}
    reason = waiting.get("reason") or ""
    if reason in ("", "ContainerCreating", "PodInitializing"):
        return ""
    return f"{reason}: {waiting.get('message') or ''}"[:300]


def _state(status: Json) -> Json:
    containers = status.get("containerStatuses") or [{}]
    state: Json = containers[0].get("state") or {}
    return state


def _on(node: str) -> Json:
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _script() -> str:
    return (importlib.resources.files("gpudev_kind") / "folder.sh").read_text(encoding="utf-8")
