"""Our finalizer, which keeps an object until what it stands for is safe: taken off of this very object, and of no other."""

from __future__ import annotations

from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectAbsent
from gpudev_sdk.kube.kinds import Json, Kind
from gpudev_sdk.kube.names import FINALIZER


def let_go(api: Api, kind: Kind, item: Json) -> None:
    """Take our finalizer off; one without it, or gone, is fine. Raises ObjectChanged if it is not as it was seen.

    Of what is to be deleted it is taken off first: others take theirs off after that, and none may be put back.
    """
    metadata = item["metadata"]
    held = metadata.get("finalizers") or []
    if FINALIZER not in held:
        return
    version = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    others = [name for name in held if name != FINALIZER]
    try:
        api.merge(kind, metadata["name"], {"metadata": {**version, "finalizers": others or None}})
    except ObjectAbsent:
        return
