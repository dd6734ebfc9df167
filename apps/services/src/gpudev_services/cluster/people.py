"""`admin-user`: the first person of an install, made from inside where there is no local socket."""

from __future__ import annotations

import pathlib

from gpudev_sdk.domain.names import check_name
from gpudev_sdk.engine.accounts import add_key, ensure_operator
from gpudev_sdk.errors import ConfigError
from gpudev_sdk.ssh.keys import parse_public_key
from gpudev_sdk.store import people
from gpudev_services.cluster.parts import Given, answering, opened
from gpudev_services.cluster.readiness import Readiness
from gpudev_services.cluster.secrets import API_DSN


def admin_user(given: Given, name: str, key: pathlib.Path | None) -> str:
    """Make a person an admin, and enrol a key for them; again changes nothing. Returns what to say."""
    check_name(name, kind="user")
    line = None if key is None else _public_key(key)
    # The API's role and not the engine's: that one may not enrol keys.
    dsn = given.dsn(API_DSN)
    with opened(dsn, 2) as store:
        Readiness(store, dsn).check()
        user = ensure_operator(answering(given, store), name)
        with store.transaction() as conn:
            if line is not None:
                add_key(conn, user, line, None)
            event = {"actor": "admin-user", "via": "services", "action": "user-admin", "object": name, "request_id": ""}
            conn.execute(people.Q["audit"], event)
    return f"{name} is an admin" + ("" if line is None else f"; their key is {parse_public_key(line).fingerprint}")


def _public_key(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the public key {path} cannot be read", hint="Name a file: --key ~/.ssh/id_ed25519.pub."
        ) from error
