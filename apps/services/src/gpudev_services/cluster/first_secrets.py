"""`first-secrets`: makes what an install must have and nobody need choose, once. A Secret that is there is never changed."""

from __future__ import annotations

import base64
import re
import secrets
import uuid
from collections.abc import Mapping

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.store.dsn import quoted
from gpudev_services.cluster.account import Account
from gpudev_services.cluster.secrets import (
    AUTHORITY,
    AUTHORITY_KEY,
    CONTROL_PLANE,
    GATEWAY_KEY,
    HOST_CA,
    NONCE,
    NONCE_BYTES,
    private_text,
)
from gpudev_services.tls import make_authority

_PLACE = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?/(?P<name>[A-Za-z0-9_-]+)\Z")
API_ROLE, ENGINE_ROLE = "gpudev_api", "gpudev_engine"


@attrs.frozen(kw_only=True)
class Wanted:
    """What is known beforehand of an install."""

    #: Where its database is, as `HOST[:PORT]/NAME`; empty: the ways to it are somebody else's to write down.
    database: str = ""
    #: Who owns the database there, and their password if somebody else made it.
    owner: str = "gpudev_owner"
    password: str = attrs.field(default="", repr=False)

    @property
    def place(self) -> str:
        """Where the database is, in libpq's words."""
        found = _PLACE.match(self.database)
        if found is None:
            raise InvalidRequest(f"--database {self.database[:80]!r} is not HOST[:PORT]/NAME", field="database")
        return f"host={quoted(found['host'])} port={found['port'] or 5432} dbname={quoted(found['name'])}"


def fresh(wanted: Wanted) -> dict[str, bytes]:
    """Return what a new install's Secret holds."""
    made = {
        NONCE: base64.b64encode(secrets.token_bytes(NONCE_BYTES)),
        CONTROL_PLANE: str(uuid.uuid4()).encode(),
    }
    for name in (HOST_CA, GATEWAY_KEY):
        key = Ed25519PrivateKey.generate()
        made[name] = private_text(key)
        made[f"{name}.pub"] = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    for name, role in (("owner", wanted.owner), ("api", API_ROLE), ("engine", ENGINE_ROLE)):
        given = wanted.password if name == "owner" else ""
        password = given or secrets.token_urlsafe(32)
        made[f"{name}-password"] = password.encode()
        if wanted.database:
            made[f"{name}-dsn"] = f"{wanted.place} user={quoted(role)} password={quoted(password)}".encode()
    return made


def fresh_authority() -> dict[str, bytes]:
    """Return what the Secret of an install's own certificate authority holds."""
    certificate, key = make_authority()
    return {AUTHORITY: certificate, AUTHORITY_KEY: key}


def make(account: Account, name: str, entries: Mapping[str, bytes]) -> str:
    """Make a Secret unless it is there; return what was done."""
    found = account.find_secret(name)
    if found is None and account.create_secret(name, entries):
        return f"made the Secret {name} with {', '.join(sorted(entries))}"
    # Another run of ours may have made it meanwhile.
    there: Mapping[str, object] = found if found is not None else account.find_secret(name) or {}
    lacking = sorted(set(entries) - set(there))
    lacks = f"; it has no {', '.join(lacking)}" if lacking else ""
    return f"the Secret {name} is there already and was not changed{lacks}"
