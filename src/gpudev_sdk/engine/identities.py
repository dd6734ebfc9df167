"""Who a login's identity is: exactly its login and its subject, linked by an admin, or by the first proof where the login enrols.

Nobody is found by a display, a mail, or the beginning of anything: a display is shown to people, and gives a new user a name.
"""

from __future__ import annotations

import re
import shlex
import uuid

import attrs

from gpudev_sdk.domain.names import NAME, RESERVED
from gpudev_sdk.domain.user import Identity
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import BrokenPlugin, Conflict, InvalidRequest, NotFound, NotSignedIn
from gpudev_sdk.store import bell, ids, people
from gpudev_sdk.store.rows import Conn, Row

#: Words of visible ASCII without `'`, so that it can be copied into a shell whole; as in 0012_identities.sql.
SUBJECT = re.compile(r"(?=.{1,160}\Z)[!-&(-~]+( [!-&(-~]+)*\Z")
LONGEST_DISPLAY = 80
NO = "the login was not accepted"


@attrs.frozen(kw_only=True)
class Proof:
    """What a login proved, and whether it may make a user of somebody whom nobody knows."""

    login: str
    identity: Identity
    enrols: bool = False


@attrs.frozen(kw_only=True)
class Actor:
    """Who did it, for the audit log."""

    name: str
    via: str
    request_id: str = ""


def find(conn: Conn, proof: Proof, request_id: str) -> Row | None:
    """Return the person whose identity was proved, made now where the login enrols; or None. A disabled one stays so.

    The person is locked until the transaction ends, and what it makes for them is there for who unlinks them then.
    """
    if not SUBJECT.match(proof.identity.subject):
        raise BrokenPlugin(
            f"the login {proof.login!r} proved a subject that cannot be kept", hint="Tell the operator of the server."
        )
    found = _find(conn, proof)
    if found is None and proof.enrols:
        found = _enrol(conn, proof, request_id)
    if found is None:
        return None
    locked = conn.execute(people.Q["lock_user"], {"id": found["user_id"]}).fetchone()
    # Unlinked while it waited for the lock.
    still = _find(conn, proof)
    return locked if still is not None and still["user_id"] == found["user_id"] else None


def _find(conn: Conn, proof: Proof) -> Row | None:
    return conn.execute(people.Q["find_identity"], _key(proof)).fetchone()


def _key(proof: Proof) -> dict[str, str]:
    return {"login": proof.login, "subject": proof.identity.subject}


def _enrol(conn: Conn, proof: Proof, request_id: str) -> Row | None:
    """Make a user of an identity; None where its display gives no name, the name is taken, or an admin unlinked it."""
    name = name_from(proof.identity.display)
    if name is None or conn.execute(people.Q["was_unlinked"], _key(proof)).fetchone() is not None:
        return None
    made = {"id": ids.new(), "name": name, "is_admin": False}
    if conn.execute(people.Q["insert_user"], made).fetchone() is None:
        # By somebody else; or by this very identity, which came in twice at once.
        return _find(conn, proof)
    fields = {"id": ids.new(), "user_id": made["id"], "display": shown(proof.identity.display), **_key(proof)}
    if conn.execute(people.Q["insert_identity"], fields).fetchone() is None:
        # It came in twice at once under two displays; the other's name stays, and this one's is undone.
        raise NotSignedIn(NO, hint="Log in again: gpudev login.")
    actor = Actor(name=name, via=f"login:{proof.login}", request_id=request_id)
    _note(conn, actor, "user-enrol", proof.identity.subject)
    return _find(conn, proof)


def unknown(proof: Proof) -> NotSignedIn:
    """Return the refusal of a person who is proven and nobody here: it tells them what was proved, and of others nothing."""
    subject, display = proof.identity.subject, shown(proof.identity.display)
    named = f" ({display})" if display else ""
    return NotSignedIn(
        f"{NO}: {proof.login} proved that you are {subject}{named}, and no user here is linked to that",
        hint=f"Ask an admin: gpudev admin users link YOURNAME --login {proof.login} --subject {shlex.quote(subject)}",
    )


def shown(display: str) -> str:
    """Return a display as a short line that cannot steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in display[:LONGEST_DISPLAY])


def name_from(display: str) -> str | None:
    """Return the user's name that a display gives; None for one that is no short line, or has nothing a name is made of."""
    if len(display) > LONGEST_DISPLAY or not display.isprintable():
        return None
    name = re.sub(r"[^A-Za-z0-9]+", "-", display).lower().strip("-")[:40].strip("-")
    return name if NAME.match(name) and name not in RESERVED else None


def link(engine: Engine, actor: Actor, name: str, login: str, subject: str) -> None:
    """Link an identity to a person; the same again changes nothing, and another's stays theirs."""
    if not SUBJECT.match(subject):
        raise InvalidRequest(
            "that is no subject", field="subject", hint="Take it as the refused login showed it, whole and in quotes."
        )
    with engine.store.transaction() as conn:
        user = people.find_user(conn, name)
        if user is None:
            raise NotFound(f"there is no user {name[:40]!r}", hint="`gpudev admin users list` shows everybody.")
        fields = {"id": ids.new(), "user_id": user["id"], "login": login, "subject": subject, "display": ""}
        if conn.execute(people.Q["insert_identity"], fields).fetchone() is not None:
            _note(conn, actor, "identity-link", f"{name} {login} {subject}")
            return
        found = conn.execute(people.Q["find_identity"], fields).fetchone()
        if found is None or found["user_id"] != user["id"]:
            owner = "somebody" if found is None else found["user_name"]
            raise Conflict(
                f"that identity is linked to {owner}",
                hint=f"Take it from them first: gpudev admin users unlink {owner} --login {login} --subject …",
            )


def unlink(engine: Engine, actor: Actor, name: str, identity_id: uuid.UUID) -> None:
    """Take an identity from a person, and end all their tokens: one of them may be of whoever it is."""
    with engine.store.transaction() as conn:
        user = people.find_user(conn, name)
        fields = {"id": identity_id, "user_id": None if user is None else user["id"]}
        # Whoever is signing in by it now has their token first, and loses it with the others.
        conn.execute(people.Q["lock_user"], {"id": fields["user_id"]})
        gone = conn.execute(people.Q["remove_identity"], fields).fetchone()
        if gone is None:
            raise NotFound(f"{name[:40]!r} has no such identity", hint="`gpudev admin users show NAME` lists them.")
        conn.execute(people.Q["revoke_tokens"], fields)
        _note(conn, actor, "identity-unlink", f"{name} {gone['login']} {gone['subject']}")
        bell.ring(conn, "access")


def _note(conn: Conn, actor: Actor, action: str, what: str) -> None:
    event = {"actor": actor.name, "via": actor.via, "action": action, "object": what, "request_id": actor.request_id}
    conn.execute(people.Q["audit"], event)
