"""Sets a kind cluster up for boxes, or adopts one: cluster, namespaces, images. Done twice, it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gpudev_kind import cluster, helpers
from gpudev_kind.cluster import Kind
from gpudev_kind.settings import KindSettings
from gpudev_sdk.errors import GpudevError, InvalidRequest
from gpudev_sdk.kube import cluster as reaching
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectExists
from gpudev_sdk.kube.kinds import NAMESPACE
from gpudev_sdk.kube.names import PREFIX

#: What a cluster carries that was made here: only that is ever deleted.
MADE_HERE = f"{PREFIX}/made-by"
#: How many nodes there are beside the first; of use while a cluster is made, and no setting.
WORKERS, _MOST_WORKERS = "workers", 20
#: Settings of the sub-table that decide what is set up; the others are the operator's alone.
_READ = ("cluster", "context", "kubeconfig", "node_image", "namespace", "helper_namespace", "tools_image")
_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
Say = Callable[[str], None]


def set_up(given: Mapping[str, str], say: Say) -> Mapping[str, Any]:
    """Make or adopt the cluster that `given` names; return what a backend there has to say."""
    workers = _workers(given.get(WORKERS, "0"))
    settings = _settings(given)
    kind = cluster.find()
    made = _make(kind, settings, workers, say)
    helpers.ensure_namespace(_api(settings, settings.helper_namespace), {MADE_HERE: "gpudev"} if made else {})
    _ensure_boxes_namespace(_api(settings, settings.namespace), settings.namespace)
    say(f"The namespaces {settings.namespace} and {settings.helper_namespace} are there.")
    _load(kind, settings, say)
    return {"cluster": settings.cluster}


def take_down(settings: KindSettings, say: Say) -> None:
    """Delete the cluster, if it was made here; one that was adopted is left as it is."""
    kind = cluster.find()
    if settings.cluster not in kind.clusters():
        say(f"There is no cluster {settings.cluster} any more.")
        return
    found = _api(settings, settings.helper_namespace).find(NAMESPACE, settings.helper_namespace)
    if found is None or MADE_HERE not in (found["metadata"].get("labels") or {}):
        say(f"The cluster {settings.cluster} was there before gpudev; it is left as it is.")
        say(f"To delete it with all that is in it: kind delete cluster --name {settings.cluster}")
        return
    kind.delete(settings.cluster, settings.kubeconfig)
    say(f"The cluster {settings.cluster} is deleted, with every disk that was in it.")


def _settings(given: Mapping[str, str]) -> KindSettings:
    known = {field.name for field in attrs.fields(KindSettings)} | {WORKERS}
    for name in given:
        if name.partition(".")[0] not in known:
            raise InvalidRequest(f"kind does not know {name[:40]!r}", hint=f"It knows: {', '.join(sorted(known))}.")
    read: dict[str, Any] = {name: given[name] for name in _READ if name in given}
    try:
        return KindSettings(**read)
    except ValueError as error:
        raise InvalidRequest(str(error), hint="Correct that --set.") from error


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST_WORKERS:
        raise InvalidRequest(f"{WORKERS}: {text[:20]!r} is not a number up to {_MOST_WORKERS}", field=WORKERS)
    return int(text)


def _make(kind: Kind, settings: KindSettings, workers: int, say: Say) -> bool:
    """Make the cluster if it is not there; say whether it was made now."""
    name = settings.cluster
    if name in kind.clusters():
        kind.export_kubeconfig(name, settings.kubeconfig)
        say(f"The cluster {name} is there, and is used as it is.")
        return False
    say(f"Making the cluster {name}; the first time this takes some minutes.")
    kind.create(name, settings.node_image, workers, settings.kubeconfig)
    say(f"The cluster {name} is up; kubectl knows it as kind-{name}.")
    return True


def _api(settings: KindSettings, namespace: str) -> Api:
    return reaching.connect(settings.kubeconfig, settings.context, namespace)


def _ensure_boxes_namespace(api: Api, namespace: str) -> None:
    if api.find(NAMESPACE, namespace) is None:
        try:
            api.create(NAMESPACE, NAMESPACE.body({"name": namespace, "labels": dict(_RESTRICTED)}))
        except ObjectExists:
            return


def _load(kind: Kind, settings: KindSettings, say: Say) -> None:
    """Bring the tools into the nodes where the machine has them; elsewhere the nodes have to pull them."""
    try:
        kind.load_image(settings.cluster, settings.tools_image)
    except GpudevError as error:
        say(f"The image {settings.tools_image} is not loaded ({error.message}).")
        say(f"The nodes will pull it, or load it yourself: kind load docker-image {settings.tools_image}")
    else:
        say(f"The image {settings.tools_image} is on every node.")
