"""Who controls the servers of an install in this namespace: an object outside every database."""

from __future__ import annotations

import json
import uuid

from gpudev_sdk.domain.server import Claim
from gpudev_sdk.errors import Conflict, Unworkable
from gpudev_sdk.kube import names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectAbsent, ObjectChanged, ObjectExists
from gpudev_sdk.kube.kinds import CONFIG_MAP, Json

_KEY = "claim.json"


def read(api: Api, install: uuid.UUID) -> Claim | None:
    """Return the claim, or None if there never was one."""
    found = api.find(CONFIG_MAP, names.claim_name(install))
    return None if found is None else _parse(found)


def write(api: Api, install: uuid.UUID, new: Claim, expected: Claim | None) -> None:
    """Replace `expected` by `new`, or raise Conflict. The API server sees to it that only one of two succeeds."""
    name = names.claim_name(install)
    found = api.find(CONFIG_MAP, name)
    if (None if found is None else _parse(found)) != expected:
        raise Conflict(f"the claim {name} in {api.namespace} is another")
    labels = {names.INSTALL: str(install), names.PART: "claim"}
    body = CONFIG_MAP.body({"name": name, "labels": labels}, data={_KEY: _write(new)})
    try:
        if found is None:
            api.create(CONFIG_MAP, body)
        else:
            body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
            api.replace(CONFIG_MAP, body)
    except (ObjectExists, ObjectChanged, ObjectAbsent) as error:
        raise Conflict(f"the claim {name} in {api.namespace} was changed by somebody else just now") from error


def _write(claim: Claim) -> str:
    plain = {"install_id": str(claim.install_id), "control_plane_id": str(claim.control_plane_id), "epoch": claim.epoch}
    return json.dumps(plain, sort_keys=True)


def _parse(found: Json) -> Claim:
    try:
        plain = json.loads(found["data"][_KEY])
        return Claim(
            install_id=uuid.UUID(plain["install_id"]),
            control_plane_id=uuid.UUID(plain["control_plane_id"]),
            epoch=int(plain["epoch"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        name = found["metadata"]["name"]
        hint = f"Delete it if no other gpudev runs boxes here: kubectl delete configmap {name}"
        raise Unworkable(f"the claim {name} is damaged", hint=hint) from error
