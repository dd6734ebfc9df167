"""People and their keys."""

from __future__ import annotations

import uuid

from gpudev_sdk.domain.names import check_name
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import Conflict, NotFound
from gpudev_sdk.ssh.keys import parse_public_key
from gpudev_sdk.store import bell, ids, people
from gpudev_sdk.store.rows import Conn, user_from_row


def add_key(conn: Conn, user: User, text: str, name: str | None) -> uuid.UUID:
    """Enrol a public key for a person; their boxes get it within a second. The same key again changes nothing."""
    key = parse_public_key(text)
    known = conn.execute(people.Q["find_key"], {"fingerprint": key.fingerprint}).fetchone()
    if known is not None:
        if known["user_id"] != user.id:
            raise Conflict("that key is somebody else's here", hint="Make your own: ssh-keygen -t ed25519.")
        found: uuid.UUID = known["id"]
        return found
    made = ids.new()
    fields = {
        "id": made,
        "user_id": user.id,
        "fingerprint": key.fingerprint,
        "public_key": key.line,
        "name": (name or key.comment or key.fingerprint)[:80],
    }
    if conn.execute(people.Q["insert_key"], fields).fetchone() is None:
        raise Conflict("that key was enrolled a moment ago", hint="Look at `gpudev key list`.")
    keys_changed(conn, user)
    return made


def keys_changed(conn: Conn, user: User) -> None:
    """Have a person's boxes get their present keys now, and what a removed key opened be closed."""
    for box in conn.execute(people.Q["boxes_of"], {"user_id": user.id}).fetchall():
        bell.ring_work(conn, "reservation", box["id"])
    bell.ring(conn, "access")


def add_user(engine: Engine, name: str, public_key: str | None, *, is_admin: bool = False) -> User:
    """Add a person with a first key, all or nothing."""
    check_name(name, kind="user")
    with engine.store.transaction() as conn:
        fields = {"id": ids.new(), "name": name, "is_admin": is_admin}
        if conn.execute(people.Q["insert_user"], fields).fetchone() is None:
            raise Conflict(f"there is a user {name!r}", hint="`gpudev admin users list` shows everybody.")
        user = user_from_row(people.find_user(conn, name) or {})
        if public_key is not None:
            add_key(conn, user, public_key, None)
    return user


def set_disabled(engine: Engine, name: str, *, disabled: bool) -> None:
    """Shut a person out, or let them in again; what they have open is closed within 5 seconds."""
    with engine.store.transaction() as conn:
        row = people.find_user(conn, name)
        if row is None:
            raise NotFound(f"there is no user {name[:40]!r}", hint="`gpudev admin users list` shows everybody.")
        conn.execute(people.Q["disable_user"], {"id": row["id"], "disabled": disabled})
        bell.ring(conn, "access")


def ensure_operator(engine: Engine, name: str) -> User:
    """Return the person at the local socket, made on the first start.

    Raises Conflict for a name that somebody else came in by: a login may have made a user of it, who is no admin's idea.
    """
    with engine.store.transaction() as conn:
        conn.execute(people.Q["insert_user"], {"id": ids.new(), "name": name, "is_admin": True})
        row = people.find_user(conn, name)
        if row is None:
            raise NotFound(name)
        linked = any(each["user_id"] == row["id"] for each in conn.execute(people.Q["list_identities"]))
        if linked and not row["is_admin"]:
            raise Conflict(
                f"{name} is whom a login proved, and no admin",
                hint=f"Unlink them first (gpudev admin users unlink {name} …), or take another name.",
            )
        conn.execute(people.Q["make_admin"], {"id": row["id"]})
        return user_from_row({**row, "is_admin": True})
