"""Routes of one's own account: login, keys, tokens."""

from __future__ import annotations

import hashlib
import uuid

from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from gpudev_sdk.config import Login
from gpudev_sdk.domain.user import Challenge, Credentials
from gpudev_sdk.engine import identities
from gpudev_sdk.engine.accounts import add_key, keys_changed
from gpudev_sdk.errors import NotFound, NotSignedIn
from gpudev_sdk.ssh.login import AGAIN, check_challenge, issue_challenge
from gpudev_sdk.store import bell, people
from gpudev_sdk.store.reservations import Q, scalar
from gpudev_sdk.store.rows import Conn, Row
from gpudev_sdk.wire.account_views import ChallengeView, KeysView, KeyView, LoginView, MeView, TokensView, TokenView
from gpudev_sdk.wire.bodies import KeyBody, LoginBody
from gpudev_services.api.auth import issue_token
from gpudev_services.api.clock import now
from gpudev_services.api.desk import Desk, TheDesk, Who
from gpudev_services.api.problems import request_id
from gpudev_services.api.rates import LOGIN, WRITE

HttpRequest = Request[object, object, State]
HINT = "See that an admin enrolled your key: gpudev admin users add NAME --key FILE.pub."


def _address(request: HttpRequest) -> str:
    return request.client.host if request.client else "socket"


@post("/login/challenge", status_code=200, sync_to_thread=True)
def challenge(request: HttpRequest, desk: TheDesk) -> ChallengeView:
    """Hand out a nonce to sign; it says nothing of who may log in."""
    desk.rates.take(LOGIN, _address(request))
    made = issue_challenge(desk.nonce_secret, now())
    return ChallengeView(nonce=made.nonce, expires_at=made.expires_at)


@post("/login", status_code=200, sync_to_thread=True)
def login(request: HttpRequest, desk: TheDesk, data: JSONBody[LoginBody]) -> LoginView:
    """Exchange credentials for a token. Whoever is not proven gets the same answer, whatever is wrong."""
    desk.rates.take(LOGIN, _address(request))
    by = desk.logins.get(data.login)
    if by is None or data.audience not in desk.audiences:
        raise NotSignedIn(identities.NO, hint="Log in at the address that the server's operator gave you.")
    expires_at = check_challenge(desk.nonce_secret, data.nonce, now())
    proven = by.identity.verify_credentials(
        Credentials(provider=data.login, fields=data.fields),
        Challenge(nonce=data.nonce, expires_at=expires_at, audience=data.audience),
    )
    proof = identities.Proof(login=data.login, identity=proven, enrols=by.enrol)
    _spend(desk, data.nonce)
    return _come_in(desk, by, proof, request_id(request))


def _spend(desk: Desk, nonce: str) -> None:
    """Spend the nonce of a proof, by itself, so that it is spent whoever it is of; raise NotSignedIn the second time."""
    with desk.engine.store.transaction() as conn:
        spent = conn.execute(people.Q["use_nonce"], {"hash": hashlib.sha256(nonce.encode()).digest()}).fetchone()
    if spent is None:
        raise NotSignedIn(identities.NO, hint=AGAIN)


def _come_in(desk: Desk, by: Login, proof: identities.Proof, request: str) -> LoginView:
    """Return a token for whose proof it is, made while they are found, so that nobody is unlinked between; raise NotSignedIn."""
    with desk.engine.store.transaction() as conn:
        user = _person(conn, by, proof, request)
        if user is not None and user["disabled_at"] is None:
            event = {"actor": user["name"], "via": f"login:{by.name}", "action": "login"}
            conn.execute(people.Q["audit"], event | {"object": proof.identity.subject, "request_id": request})
            token, until = issue_token(conn, user["id"])
            return LoginView(token=token, expires_at=until, user=user["name"])
    if user is None and not by.is_by_key:
        raise identities.unknown(proof)
    raise NotSignedIn(identities.NO, hint=HINT if by.is_by_key else "Ask an admin of this install.")


def _person(conn: Conn, by: Login, proof: identities.Proof, request: str) -> Row | None:
    if not by.is_by_key:
        return identities.find(conn, proof, request)
    key = conn.execute(people.Q["find_key"], {"fingerprint": proof.identity.subject}).fetchone()
    return None if key is None else conn.execute(people.Q["find_user_by_id"], {"id": key["user_id"]}).fetchone()


@get("/me", sync_to_thread=True)
def me(desk: TheDesk, who: Who) -> MeView:
    """Say who one is and what one has."""
    with desk.engine.store.transaction() as conn:
        live = conn.execute(Q["live_count"], {"owner_id": who.user.id}).fetchone()
        keys = people.keys_of(conn, who.user.id)
    limits = desk.engine.limits
    return MeView(
        user=who.user.name,
        is_admin=who.is_admin,
        local=who.via == "socket",
        keys=len(keys),
        live_reservations=scalar(live, "reservations"),
        live_gpus=int(scalar(live, "gpus")),
        max_reservations=limits.max_reservations_per_user,
        max_gpus=limits.max_gpus_per_user,
    )


def _key_view(row: Row) -> KeyView:
    return KeyView(
        id=row["id"],
        name=row["name"],
        fingerprint=row["fingerprint"],
        public_key=row["public_key"],
        created_at=row["created_at"],
    )


@get("/me/keys", sync_to_thread=True)
def keys(desk: TheDesk, who: Who) -> KeysView:
    """List one's keys."""
    with desk.engine.store.transaction() as conn:
        return KeysView(items=[_key_view(row) for row in people.keys_of(conn, who.user.id)])


@post("/me/keys", status_code=201, sync_to_thread=True)
def enrol(desk: TheDesk, who: Who, data: JSONBody[KeyBody]) -> KeyView:
    """Enrol a public key; it opens one's boxes within a second."""
    desk.rates.take(WRITE, str(who.user.id))
    with desk.engine.store.transaction() as conn:
        made = add_key(conn, who.user, data.public_key, data.name)
        return next(_key_view(row) for row in people.keys_of(conn, who.user.id) if row["id"] == made)


@delete("/me/keys/{key_id:uuid}", status_code=204, sync_to_thread=True)
def remove_key(desk: TheDesk, who: Who, key_id: FromPath[uuid.UUID]) -> None:
    """Take a key away; what it opened is closed within 5 seconds."""
    with desk.engine.store.transaction() as conn:
        if conn.execute(people.Q["remove_key"], {"id": key_id, "user_id": who.user.id}).rowcount != 1:
            raise NotFound("you have no such key", hint="`gpudev key list` shows yours.")
        keys_changed(conn, who.user)


@get("/me/tokens", sync_to_thread=True)
def tokens(desk: TheDesk, who: Who) -> TokensView:
    """List one's tokens; never their values."""
    with desk.engine.store.transaction() as conn:
        found = conn.execute(people.Q["tokens_of"], {"user_id": who.user.id}).fetchall()
    fields = ("id", "created_at", "expires_at", "last_used_at")
    return TokensView(
        items=[TokenView(**{name: row[name] for name in fields}, current=row["id"] == who.token_id) for row in found]
    )


@delete("/me/tokens/{token:str}", status_code=204, sync_to_thread=True)
def revoke(desk: TheDesk, who: Who, token: FromPath[str]) -> Response[None]:
    """Revoke a token, or the one that is used now (`current`)."""
    wanted = str(who.token_id) if token == "current" else token
    with desk.engine.store.transaction() as conn:
        mine = {str(row["id"]) for row in conn.execute(people.Q["tokens_of"], {"user_id": who.user.id})}
        if wanted not in mine:
            raise NotFound("you have no such token")
        conn.execute(people.Q["revoke_token"], {"id": uuid.UUID(wanted), "user_id": who.user.id})
        bell.ring(conn, "access")
    return Response(None, status_code=204)


ROUTES = [challenge, login, me, keys, enrol, remove_key, tokens, revoke]
