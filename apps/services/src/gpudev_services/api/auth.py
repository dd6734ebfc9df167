"""Who asks: the owner of the local socket, or whoever presents a token. Nothing in a request names its sender."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import uuid
import zlib

from litestar import Request
from litestar.datastructures import State

from gpudev_sdk.errors import NotAllowed, NotSignedIn
from gpudev_sdk.store import people
from gpudev_sdk.store.rows import Conn, user_from_row
from gpudev_services.api.desk import TOKEN_LASTS, Caller, Desk
from gpudev_services.api.problems import request_id

PREFIX = "gpd_"
SIGN_IN = "Sign in: gpudev login."


def new_token() -> str:
    """Return a fresh token: 32 random bytes and a checksum, so that a scanner can tell it from noise."""
    body = secrets.token_urlsafe(32)
    return f"{PREFIX}{body}{zlib.crc32(body.encode()):08x}"


def well_formed(token: str) -> bool:
    """Say whether a token could be ours, without looking it up."""
    body, check = token.removeprefix(PREFIX)[:-8], token[-8:]
    return token.startswith(PREFIX) and len(token) < 80 and f"{zlib.crc32(body.encode()):08x}" == check


def token_hash(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def caller(request: Request[object, object, State], state: State) -> Caller:
    """Return who asks; raise NotSignedIn."""
    desk: Desk = state.desk
    if request.scope.get("gpudev_door") == "local" and desk.operator is not None:
        return Caller(user=desk.operator, via="socket", request_id=request_id(request))
    given = request.headers.getall("authorization", [])
    if len(given) != 1 or not given[0].startswith("Bearer "):
        raise NotSignedIn("this call needs a token", hint=SIGN_IN)
    return by_token(desk, given[0].removeprefix("Bearer ").strip(), request_id(request))


def by_token(desk: Desk, token: str, request: str = "") -> Caller:
    """Return whose token it is; raise NotSignedIn for one that is unknown, over, revoked, or from before an adoption."""
    if not well_formed(token):
        raise NotSignedIn("that is not a token of gpudev", hint=SIGN_IN)
    with desk.engine.store.transaction() as conn:
        row = conn.execute(people.Q["find_token"], {"hash": token_hash(token)}).fetchone()
        if row is None or row["revoked_at"] is not None or row["void"]:
            raise NotSignedIn("the token is not valid here (any more)", hint=SIGN_IN)
        if row["expired"]:
            raise NotSignedIn("the token's time is over", hint=SIGN_IN)
        if row["disabled_at"] is not None:
            raise NotAllowed("your account is disabled", hint="Ask an admin of this install.")
        conn.execute(people.Q["token_used"], {"id": row["token_id"]})
    return Caller(user=user_from_row(row), via="token", token_id=row["token_id"], request_id=request)


def still_valid(desk: Desk, who: Caller) -> bool:
    """Say whether a caller with an open stream may go on."""
    with desk.engine.store.transaction() as conn:
        row = conn.execute(people.Q["find_user_by_id"], {"id": who.user.id}).fetchone()
        if row is None or row["disabled_at"] is not None:
            return False
        if who.token_id is None:
            return True
        live = {token["id"] for token in conn.execute(people.Q["tokens_of"], {"user_id": who.user.id})}
    return who.token_id in live


def issue_token(conn: Conn, user_id: uuid.UUID) -> tuple[str, dt.datetime]:
    """Make a token for a person; return it with its end. Only its hash is kept."""
    token = new_token()
    fields = {"id": uuid.uuid4(), "user_id": user_id, "hash": token_hash(token), "lasts": TOKEN_LASTS}
    made = conn.execute(people.Q["insert_token"], fields).fetchone()
    assert made is not None  # the install row exists
    return token, made["expires_at"]
