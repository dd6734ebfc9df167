"""The login `kind`: a person is a service account of the cluster. Their machine asks for a token, the server has it reviewed.

TokenRequest and TokenReview: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ . A token is made
for one audience, that of this one sign-in: server and nonce together, so that it is of no use anywhere else, nor again.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
import re
import threading
from typing import Any, ClassVar

from gpudev_kind.settings import KindLoginSettings
from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.errors import InvalidRequest, NotSignedIn, TryLater, Unworkable
from gpudev_sdk.kube import cluster
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import Json, Kind
from gpudev_sdk.providers import Context, IdentityProvider

#: The shortest that an API server issues, and the longest that we take.
LASTS = 600
_REVIEW = Kind("TokenReview", "authentication.k8s.io/v1", "tokenreviews", namespaced=False)
_LONGEST = 16 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
NO = "the login was not accepted"


class KindIdentity(IdentityProvider):
    """A person is a service account in the namespace of people; the subject is its uid, which is never given again."""

    Settings: ClassVar[type[KindLoginSettings]] = KindLoginSettings
    #: Names alone. How a person reaches the cluster is theirs: its context follows from its name, in a kubeconfig of their own.
    public: ClassVar[tuple[str, ...]] = ("cluster", "namespace")

    def __init__(self, settings: KindLoginSettings, context: Context) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self._opened: Api | None = None

    def connect(self) -> Api:
        """Reach the cluster; nothing is dialled yet."""
        return cluster.connect(self._settings.kubeconfig, self._settings.context, self._settings.namespace)

    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        """Have a token made for this one sign-in; what one reaches the cluster with stays here."""
        if not challenge.audience:
            raise InvalidRequest("a login has to be made for the server that was dialled", field="audience")
        account = self._settings.account or _own_name()
        spec = {"audiences": [audience(challenge)], "expirationSeconds": LASTS}
        try:
            answer = self._api.create(_token_of(account), _body("TokenRequest", spec))
        except (TryLater, Unworkable) as error:
            hint = f"See whether you get one by hand: kubectl create token {account} -n {self._settings.namespace}"
            raise NotSignedIn(f"no token of the service account {account}: {error.message}", hint=hint) from error
        token = str((answer.get("status") or {}).get("token") or "")
        if not _is_short(token):
            raise NotSignedIn("the cluster made a token that lasts too long; it is not sent", hint="Ask who runs it.")
        return Credentials(provider="kind", fields={"token": token})

    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        """Have the token reviewed for this one sign-in, or raise NotSignedIn: in the same words whatever is wrong."""
        token = credentials.fields.get("token", "")
        wanted = audience(challenge)
        if set(credentials.fields) != {"token"} or not challenge.audience or not _is_short(token):
            raise self._no()
        answer = self._api.create(_REVIEW, _body("TokenReview", {"token": token, "audiences": [wanted]}))
        return self._believe(answer.get("status") or {}, wanted)

    def _believe(self, status: Json, wanted: str) -> Identity:
        """Return who a review proved. One that does not name our audience is of a server that knows of none."""
        user = status.get("user") or {}
        found = str(user.get("username") or "").split(":")
        ours = found[:3] == ["system", "serviceaccount", self._settings.namespace] and len(found) == 4
        if status.get("authenticated") is not True or status.get("audiences") != [wanted] or not ours:
            raise self._no()
        if not user.get("uid"):
            raise self._no()
        return Identity(subject=f"{self._settings.cluster}/{user['uid']}", display=found[3])

    def _no(self) -> NotSignedIn:
        return NotSignedIn(
            NO, hint=f"See that you have an account: kubectl get serviceaccount -n {self._settings.namespace}"
        )

    @property
    def _api(self) -> Api:
        with self._opening:
            if self._opened is None:
                self._opened = self.connect()
            return self._opened


def audience(challenge: Challenge) -> str:
    """Return the audience of a token for one sign-in: of the server that was dialled, and its nonce."""
    both = json.dumps([challenge.audience, challenge.nonce]).encode()
    return f"gpudev-login:{hashlib.sha256(both).hexdigest()}"


def _token_of(account: str) -> Kind:
    """Return the kind whose path is an account's tokens."""
    return Kind("TokenRequest", "v1", f"serviceaccounts/{account}/token")


def _body(kind: str, spec: Json) -> Json:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": kind, "spec": spec}


def _is_short(token: str) -> bool:
    """Say whether a text is a token that lasts no longer than we ask for. Who made it is for the cluster to say."""
    if len(token) > _LONGEST or not _TOKEN.match(token):
        return False
    body = token.split(".")[1]
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return 0 < int(claims["exp"]) - int(claims["iat"]) <= LASTS
    # 1e400 is read as a number that no whole one is of, and a thousand brackets as nothing.
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return False


def _own_name() -> str:
    """Return this user's name in the grammar of accounts."""
    return re.sub(r"[^a-z0-9-]+", "-", getpass.getuser().lower()).strip("-")[:63].strip("-") or "default"
