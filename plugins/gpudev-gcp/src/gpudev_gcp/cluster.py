"""How a cluster of GKE is reached: where it is by the Container API, and who we are by a token of ours.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from gpudev_gcp.apis import address
from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube.cluster import Access

_CONTAINER = "container.googleapis.com"


def find_access(session: Session) -> Access:
    """Ask where the cluster is; the token is asked for by each call. Raises TryLater for a cluster that is not ready."""
    settings = session.settings
    what = f"find the cluster {settings.cluster}"
    found = session.rest(what, "container", "GET", f"{address(settings, _CONTAINER)}/v1/{path(settings)}")
    server, ca_pem = found.get("endpoint"), _certificate(found)
    if not server or not ca_pem:
        state = str(found.get("status") or "unknown").lower()
        raise TryLater(f"cannot {what}: it has no address yet, and its status is {state}", delay=10.0)
    return Access(server=f"https://{server}", ca_pem=ca_pem, token=session.token)


def path(settings: GcpSettings) -> str:
    """Return what the Container API calls the cluster."""
    return f"projects/{settings.project}/locations/{settings.cluster_location}/clusters/{settings.cluster}"


def _certificate(found: Any) -> str:
    encoded = (found.get("masterAuth") or {}).get("clusterCaCertificate") or ""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TryLater("the cluster's certificate is not to be read", delay=30.0) from error
