"""A pod's service account, as far as one Secret of its namespace goes: look at it, and make it.

https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/. The right to create cannot be given for one name
only (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources); the right to get can.
"""

from __future__ import annotations

import base64
import http.client
import json
import pathlib
import ssl
import urllib.parse
from collections.abc import Mapping
from typing import Any

import attrs

from gpudev_sdk.errors import ConfigError, GpudevError, NotAllowed, ServerUnreachable

MOUNTED = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = "https://kubernetes.default.svc"
TIMEOUT = 20.0
MOST_BYTES = 4 * 1024**2


@attrs.frozen(kw_only=True)
class Account:
    """Who we are for the cluster."""

    namespace: str
    server: str = SERVER
    folder: pathlib.Path = MOUNTED

    def find_secret(self, name: str) -> Mapping[str, object] | None:
        """Return the entries of a Secret, or None if there is none. Their values are not looked at."""
        status, body = self._ask("GET", f"{self._path}/{urllib.parse.quote(name, safe='')}")
        if status == 404:
            return None
        if status != 200:
            raise self._refused("get", name, status)
        data = body.get("data")
        return data if isinstance(data, dict) else {}

    def create_secret(self, name: str, entries: Mapping[str, bytes]) -> bool:
        """Make a Secret; False if there is one of that name by now."""
        data = {key: base64.b64encode(value).decode() for key, value in entries.items()}
        about = {"name": name, "namespace": self.namespace, "labels": {"app.kubernetes.io/managed-by": "gpudev"}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": about, "type": "Opaque", "data": data}
        status, _ = self._ask("POST", self._path, json.dumps(secret).encode())
        if status not in (201, 409):
            raise self._refused("create", name, status)
        return status == 201

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{urllib.parse.quote(self.namespace, safe='')}/secrets"

    def _refused(self, verb: str, name: str, status: int) -> GpudevError:
        what = f"the cluster answered {status} when asked to {verb} the Secret {name} in {self.namespace}"
        if status in (401, 403):
            return NotAllowed(what, hint=f"Give the pod's service account a Role that may {verb} secrets there.")
        return ServerUnreachable(what, hint="Try again in a moment.")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        token, context = self._credentials()
        host = urllib.parse.urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            host.hostname or "", host.port or 443, timeout=TIMEOUT, context=context
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body=body, headers=headers)
            reply = connection.getresponse()
            return reply.status, _json(reply.read(MOST_BYTES))
        except (OSError, http.client.HTTPException) as error:
            hint = "See that this runs in a pod, and that its network policy lets it reach the cluster's API."
            raise ServerUnreachable(f"{self.server} does not answer: {error}", hint=hint) from error
        finally:
            connection.close()

    def _credentials(self) -> tuple[str, ssl.SSLContext]:
        try:
            # Read for each call: the kubelet renews the token.
            token = (self.folder / "token").read_text(encoding="ascii").strip()
            return token, ssl.create_default_context(cafile=self.folder / "ca.crt")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"there is no service account in {self.folder}: {error}",
                hint="Run it in a pod with automountServiceAccountToken: true.",
            ) from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        # An answer of something in between; its status says enough.
        return {}
    return found if isinstance(found, dict) else {}
