"""`first-secrets`: makes what an install must have and nobody need choose, once. A Secret that is there is never changed."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gpudev_services.cluster.account import Account
from gpudev_services.cluster.dsn import quoted
from gpudev_services.cluster.secrets import CONTROL_PLANE, GATEWAY_KEY, HOST_CA, NONCE, NONCE_BYTES, private_text

#: Whose passwords are made; the services' names in the database are fixed.
ROLES = {"owner": "gpudev_owner", "api": "gpudev_api", "engine": "gpudev_engine"}


def fresh(database: str = "") -> dict[str, bytes]:
    """Return what a new install's Secret holds; with where the database is (`host=… dbname=…`), the ways to it too."""
    made = {
        NONCE: base64.b64encode(secrets.token_bytes(NONCE_BYTES)),
        CONTROL_PLANE: str(uuid.uuid4()).encode(),
    }
    for name in (HOST_CA, GATEWAY_KEY):
        key = Ed25519PrivateKey.generate()
        made[name] = private_text(key)
        made[f"{name}.pub"] = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    for name, role in ROLES.items():
        password = secrets.token_urlsafe(32)
        made[f"{name}-password"] = password.encode()
        if database:
            made[f"{name}-dsn"] = f"{database} user={role} password={quoted(password)}".encode()
    return made


def make(account: Account, name: str, database: str) -> str:
    """Make the Secret unless it is there; return what was done."""
    wanted = fresh(database)
    found = account.find_secret(name)
    if found is None and account.create_secret(name, wanted):
        return f"made the Secret {name} with {', '.join(sorted(wanted))}"
    # Another run of ours may have made it meanwhile.
    there: Mapping[str, object] = found if found is not None else account.find_secret(name) or {}
    lacking = sorted(set(wanted) - set(there))
    lacks = f"; it has no {', '.join(lacking)}" if lacking else ""
    return f"the Secret {name} is there already and was not changed{lacks}"
