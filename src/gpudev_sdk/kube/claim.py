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


class Control:
    """The claim of one install in one namespace."""

    def __init__(self, api: Api, install: uuid.UUID) -> None:
        self._api, self._install = api, install
        self._name = names.claim_name(install)
        #: The object as it was read last: whoever looked and then writes need not look again.
        self._read: Json | None = None

    def read(self) -> Claim | None:
        """Return the claim, or None if there never was one."""
        self._read = self._api.find(CONFIG_MAP, self._name)
        return None if self._read is None else _parse(self._read)

    def write(self, new: Claim, expected: Claim | None) -> None:
        """Replace `expected` by `new`, or raise Conflict. The API server sees to it that only one of two succeeds."""
        found, self._read = self._read, None
        if found is None or _parse(found) != expected:
            found = self._api.find(CONFIG_MAP, self._name)
        if (None if found is None else _parse(found)) != expected:
            raise Conflict(f"the claim {self._name} in {self._api.namespace} is another")
        labels = {names.INSTALL: str(self._install), names.PART: "claim"}
        body = CONFIG_MAP.body({"name": self._name, "labels": labels}, data={_KEY: _write(new)})
        try:
            if found is None:
                self._api.create(CONFIG_MAP, body)
            else:
                body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
                self._api.replace(CONFIG_MAP, body)
        except (ObjectExists, ObjectChanged, ObjectAbsent) as error:
            why = f"the claim {self._name} in {self._api.namespace} was changed by somebody else just now"
            raise Conflict(why) from error


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
