"""How an EKS cluster is reached: where it is by DescribeCluster, and who we are by a signed question that only STS can answer.

The token is the address of STS's GetCallerIdentity, signed for this cluster alone; whoever has it can be us at the cluster for 15
minutes. https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeCluster.html
"""

from __future__ import annotations

import base64
import binascii
import threading

from gpudev_aws.calls import Calls
from gpudev_aws.errors import Absent, translated
from gpudev_aws.session import Session
from gpudev_aws.tags import Json
from gpudev_sdk import clock
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube.cluster import Access

_PREFIX, _HEADER = "k8s-aws-v1.", "x-k8s-aws-id"
_QUESTION = "Action=GetCallerIdentity&Version=2011-06-15"
#: What the signature says of itself, which EKS wants to be 60; it takes a token for 15 minutes from when it was signed.
_SECONDS = 60
#: How long one is used.
_KEPT = 12 * 60.0
#: In these states a cluster answers; while it is made it has no address.
_ANSWERING = ("ACTIVE", "UPDATING")
_HINT = "See that `cluster` and `region` of the backend name it: aws eks list-clusters."


class Token:
    """Our token for one cluster, signed anew before it is old. Threads may share it."""

    def __init__(self, session: Session, cluster: str) -> None:
        self._session, self._cluster = session, cluster
        self._signing = threading.Lock()
        self._kept: tuple[str, float] | None = None

    def __call__(self) -> str:
        """Return it. Asks STS only where our own credentials have to be renewed for it."""
        with self._signing:
            now = clock.monotonic()
            if self._kept is None or now - self._kept[1] >= _KEPT:
                self._kept = (sign(self._session, self._cluster), now)
            return self._kept[0]


def sign(session: Session, cluster: str) -> str:
    """Return a fresh token."""
    with translated(f"sign in to the cluster {cluster}"):
        address = session.presign("sts", _QUESTION, {_HEADER: cluster}, _SECONDS)
    return _PREFIX + base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")


def access(session: Session, cluster: str) -> Access:
    """Ask EKS where a cluster is. Raises TryLater, with what to do, where there is none or it does not answer yet."""
    asked = f"find the cluster {cluster}"
    try:
        found: Json = Calls(session, "eks").one(asked, "describe_cluster", name=cluster).get("cluster") or {}
    except Absent as error:
        message = f"there is no EKS cluster {cluster!r} in {session.region}"
        raise TryLater(message, delay=30.0, hint=_HINT) from error
    if found.get("status") not in _ANSWERING or not found.get("endpoint"):
        raise TryLater(
            f"the EKS cluster {cluster} does not answer: it is {found.get('status', 'unknown')}", delay=30.0, hint=_HINT
        )
    return Access(server=found["endpoint"], ca_pem=_ca(found), token=Token(session, cluster))


def _ca(found: Json) -> str:
    try:
        return base64.b64decode(found["certificateAuthority"]["data"], validate=True).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError) as error:
        raise TryLater(
            f"EKS says no certificate of {found.get('name')} that can be read", delay=30.0, hint=_HINT
        ) from error
