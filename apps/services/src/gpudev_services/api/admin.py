"""Routes for the owner of the install, who comes by the local socket."""

from __future__ import annotations

import uuid

from litestar import delete, get, patch, post
from litestar.params import FromPath, JSONBody

from gpudev_sdk.engine import accounts, doctor, identities
from gpudev_sdk.errors import Conflict, InvalidRequest, NotAllowed, NotFound
from gpudev_sdk.store import people
from gpudev_sdk.wire.account_views import IdentityView, PeopleView, PersonView
from gpudev_sdk.wire.admin_views import AdoptView, BackupView, DifferenceView, DoctorView
from gpudev_sdk.wire.bodies import AdoptBody, FileBody, IdentityBody, UserBody, UserChangeBody
from gpudev_services.api.desk import Admin, Caller, Desk, TheDesk, Who


def _admin(who: Caller) -> None:
    if not who.is_admin:
        raise NotAllowed(
            "this is for the owner of the install",
            hint="Run it on the server's machine, as who started gpudev; of a cluster, in a pod of the API.",
        )


def _powers(desk: Desk) -> Admin:
    if desk.admin is None:
        raise NotAllowed("this server cannot do that by itself")
    return desk.admin


def _audit(desk: Desk, who: Caller, action: str, target: str) -> None:
    fields = {"actor": who.user.name, "via": who.via, "action": action, "object": target}
    with desk.engine.store.transaction() as conn:
        conn.execute(people.Q["audit"], fields | {"request_id": who.request_id})


def _actor(who: Caller) -> identities.Actor:
    return identities.Actor(name=who.user.name, via=who.via, request_id=who.request_id)


def _users(desk: Desk) -> list[PersonView]:
    with desk.engine.store.transaction() as conn:
        found = conn.execute(people.Q["list_users"]).fetchall()
        linked = conn.execute(people.Q["list_identities"]).fetchall()
    fields = ("id", "login", "subject", "display", "created_at")
    return [
        PersonView(
            name=row["name"],
            is_admin=row["is_admin"],
            disabled=row["disabled_at"] is not None,
            created_at=row["created_at"],
            keys=row["keys"],
            identities=[
                IdentityView(**{name: each[name] for name in fields}) for each in linked if each["user_id"] == row["id"]
            ],
        )
        for row in found
    ]


def _user(desk: Desk, name: str) -> PersonView:
    return next(view for view in _users(desk) if view.name == name)


@get("/admin/users", sync_to_thread=True)
def users(desk: TheDesk, who: Who) -> PeopleView:
    """List everybody."""
    _admin(who)
    return PeopleView(items=_users(desk))


@post("/admin/users", status_code=201, sync_to_thread=True)
def add_user(desk: TheDesk, who: Who, data: JSONBody[UserBody]) -> PersonView:
    """Add a person, with a first key."""
    _admin(who)
    _audit(desk, who, "user-add", data.name)
    accounts.add_user(desk.engine, data.name, data.public_key, is_admin=data.is_admin)
    return _user(desk, data.name)


@patch("/admin/users/{name:str}", sync_to_thread=True)
def change_user(desk: TheDesk, who: Who, name: FromPath[str], data: JSONBody[UserChangeBody]) -> PersonView:
    """Shut a person out, or let them in again."""
    _admin(who)
    if data.disabled is not None:
        if name == who.user.name and data.disabled:
            raise Conflict("you cannot shut yourself out")
        _audit(desk, who, "user-disable" if data.disabled else "user-enable", name)
        accounts.set_disabled(desk.engine, name, disabled=data.disabled)
    return _user(desk, name)


@post("/admin/users/{name:str}/identities", status_code=201, sync_to_thread=True)
def link(desk: TheDesk, who: Who, name: FromPath[str], data: JSONBody[IdentityBody]) -> PersonView:
    """Link a login's identity to a person: whoever proves it is them."""
    _admin(who)
    login = desk.logins.get(data.login)
    if login is None:
        there = ", ".join(sorted(desk.logins)) or "none"
        raise NotFound(f"this server has no login {data.login[:40]!r}", hint=f"It has: {there}.")
    if login.is_by_key:
        raise InvalidRequest(
            f"{data.login} lets in by keys",
            field="login",
            hint=f"Have them add theirs: gpudev admin users add {name} --key",
        )
    identities.link(desk.engine, _actor(who), name, data.login, data.subject)
    return _user(desk, name)


@delete("/admin/users/{name:str}/identities/{identity_id:uuid}", status_code=200, sync_to_thread=True)
def unlink(desk: TheDesk, who: Who, name: FromPath[str], identity_id: FromPath[uuid.UUID]) -> PersonView:
    """Take an identity from a person, and end all their tokens."""
    _admin(who)
    identities.unlink(desk.engine, _actor(who), name, identity_id)
    return _user(desk, name)


@get("/admin/doctor", sync_to_thread=True)
def show_doctor(desk: TheDesk, who: Who) -> DoctorView:
    """Look for what is not as it should be."""
    _admin(who)
    return doctor.examine(desk.doctor_engine)


@post("/admin/backup", status_code=200, sync_to_thread=True)
def backup(desk: TheDesk, who: Who, data: JSONBody[FileBody]) -> BackupView:
    """Write a backup of the database to a file on the server's machine."""
    _admin(who)
    _audit(desk, who, "backup", data.path)
    return BackupView(path=data.path, size_bytes=_powers(desk).backup(data.path))


def _differences(desk: Desk, backend: str, *, adopted: bool = False) -> AdoptView:
    desk.engine.backend(backend)
    paused, differences, seen = _powers(desk).differences(backend)
    listed = [DifferenceView(what=what, consequence=consequence) for what, consequence in differences]
    return AdoptView(backend=backend, paused=paused, differences=listed, seen=seen, adopted=adopted)


@get("/admin/adopt/{backend:str}", sync_to_thread=True)
def differences(desk: TheDesk, who: Who, backend: FromPath[str]) -> AdoptView:
    """List how a backend and the database differ."""
    _admin(who)
    return _differences(desk, backend)


@post("/admin/adopt", status_code=200, sync_to_thread=True)
def adopt(desk: TheDesk, who: Who, data: JSONBody[AdoptBody]) -> AdoptView:
    """Take over a backend, having seen the differences; every token of before is void."""
    _admin(who)
    now = _differences(desk, data.backend)
    if now.seen != data.seen:
        raise Conflict("things changed since they were listed", hint="Look again: gpudev admin adopt BACKEND.")
    _audit(desk, who, "adopt", data.backend)
    _powers(desk).adopt(data.backend)
    return _differences(desk, data.backend, adopted=True)


ROUTES = [users, add_user, change_user, link, unlink, show_doctor, backup, differences, adopt]
