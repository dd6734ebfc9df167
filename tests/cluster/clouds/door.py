"""The way into a real cluster as a cloud has it: at an address that the cloud says, by the cloud's own tokens and no other.

Who a token is of, the cloud knows; what they may do, the cluster: whoever is let in acts there as that person, so that the roles
that our documents name are all that the plugin has. https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
"""

from __future__ import annotations

import contextlib
import http.client
import pathlib
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import attrs

from gpudev_sdk.kube import policy
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import CLUSTER_ROLE_BINDING, ROLE_BINDING, Kind
from gpudev_services.tls import ensure_certificates, server_context
from tests.cluster.place import Place
from tests.places.forwarding import Asked, Gate, Refused, passed

_RBAC = "rbac.authorization.k8s.io"
_UNAUTHORIZED = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "message": "Unauthorized",
    "reason": "Unauthorized",
    "code": 401,
}


@attrs.frozen(kw_only=True)
class Person:
    """Somebody as the cluster knows them."""

    user: str
    group: str = ""


@attrs.frozen
class Door:
    """What the cloud says of its cluster."""

    gate: Gate
    ca_pem: str

    @property
    def address(self) -> str:
        """Return HOST:PORT."""
        return self.gate.address


@contextlib.contextmanager
def opened(place: Place, folder: pathlib.Path, who: Callable[[str], Person | None]) -> Iterator[Door]:
    """Open a door; `who` says whose a token is."""

    def admit(asked: Asked) -> dict[str, str]:
        person = who(asked.bearer)
        if person is None:
            raise Refused(401, _UNAUTHORIZED)
        theirs = {name: value for name, value in passed(asked).items() if not _says_who(name)}
        groups = {"Impersonate-Group": person.group} if person.group else {}
        return theirs | {"Impersonate-User": person.user} | groups

    certificates = ensure_certificates(folder, ["127.0.0.1"])
    gate = Gate(_dialling(place), admit, server_context(certificates))
    try:
        yield Door(gate, certificates.ca_pem.decode())
    finally:
        gate.close()


@contextlib.contextmanager
def allowed(place: Place, name: str, subject: dict[str, str]) -> Iterator[None]:
    """Give somebody the rights of the engine, those of docs/operate/kubernetes.md, in the place's namespace."""
    api, bindings = place.api(), []
    try:
        for role in policy.roles():
            role_kind = role["kind"]
            kind = ROLE_BINDING if role_kind == "Role" else CLUSTER_ROLE_BINDING
            api.apply(Kind(role_kind, role["apiVersion"], role_kind.lower() + "s", role_kind == "Role"), role)
            bound = f"{name}-{role['metadata']['name']}"
            ref = {"apiGroup": _RBAC, "kind": role_kind, "name": role["metadata"]["name"]}
            api.apply(kind, kind.body({"name": bound}, roleRef=ref, subjects=[{"apiGroup": _RBAC} | subject]))
            bindings.append((kind, bound))
        yield
    finally:
        _unbind(api, bindings)


def _says_who(header: str) -> bool:
    return header.lower() == "authorization" or header.lower().startswith("impersonate-")


def _unbind(api: Api, bindings: list[tuple[Kind, str]]) -> None:
    for kind, name in bindings:
        api.delete(kind, name)


def _dialling(place: Place) -> Callable[[], http.client.HTTPConnection]:
    """Return what dials the API server as whoever brought the cluster up."""
    known = place.api()._client.configuration
    context = ssl.create_default_context(cafile=known.ssl_ca_cert)
    context.load_cert_chain(known.cert_file, known.key_file)
    where = urlsplit(known.host)
    return lambda: http.client.HTTPSConnection(where.hostname, where.port, context=context, timeout=600)
