"""`migrate`: waits for the database, makes the roles of the services, brings the schema up to date, and sees that they get in."""

from __future__ import annotations

import threading

from gpudev_sdk import clock
from gpudev_sdk.engine.claim import pause_everything
from gpudev_sdk.errors import ConfigError, StoreError, Unavailable
from gpudev_sdk.store import roles as names
from gpudev_sdk.store import service_roles
from gpudev_sdk.store.dsn import login_of
from gpudev_sdk.store.migrate import migrate as apply
from gpudev_sdk.store.migrate import schema_of
from gpudev_sdk.store.pool import Store
from gpudev_sdk.store.restored import forget_grants, forget_transactions, is_noted, note
from gpudev_services.cluster.parts import Given, opened
from gpudev_services.cluster.readiness import PAUSE, Readiness
from gpudev_services.cluster.secrets import API_DSN, ENGINE_DSN, OWNER_DSN
from gpudev_services.up import build

PUT_BACK = (
    "every backend is paused; look at the differences with `gpudev-services adopt BACKEND` where a processor runs"
)
SERVICES = {API_DSN: names.API, ENGINE_DSN: names.ENGINE}


def migrate(given: Given, patience: float, restored: str = "") -> list[str]:
    """Do all of it; return what to say. Safe to repeat, and to run twice at once.

    `restored` is a word for a time at which the database was put back from a backup: seen to once.
    """
    owner = given.dsn(OWNER_DSN)
    passwords = {role: _password(given, name, role) for name, role in SERVICES.items()}
    _wait(owner, patience)
    with opened(owner, 2) as store:
        fresh = bool(restored) and _is_fresh(store, restored)
        left = service_roles.ensure(store, passwords)
        if fresh:
            # Before any service has its rights again: one that waits for them begins at once.
            _after_restore(store)
        applied = apply(owner)
        if fresh:
            _note(store, restored)
        install = build.install_id(store)
    for name, role in SERVICES.items():
        _try(given, name, role)
    kept = [f"the role {role} is another's to change, and was left as it is" for role in left]
    put_back = [PUT_BACK] if fresh else []
    return [
        *kept,
        *(f"applied {name}" for name in applied),
        *put_back,
        f"the database of install {install} is up to date",
    ]


def _is_fresh(store: Store, word: str) -> bool:
    with store.transaction() as conn:
        if is_noted(conn, word):
            return False
        forget_grants(conn)
    return True


def _after_restore(store: Store) -> None:
    """Let nothing be done by a database that may be older than the world, until somebody has looked."""
    with store.transaction() as conn:
        forget_transactions(conn)
    pause_everything(store, "the database was put back from a backup")


def _note(store: Store, word: str) -> None:
    with store.transaction() as conn:
        note(conn, word)


def _password(given: Given, name: str, role: str) -> str:
    where = f"the secret {given.secrets.folder / name}"
    try:
        login = login_of(given.dsn(name))
    except ValueError as error:
        hint = "Write host=… dbname=… user=… password=…, or postgresql://…"
        raise ConfigError(f"{where} is no connection string", hint=hint) from error
    if login.user != role or not login.password:
        raise ConfigError(
            f"{where} does not log in as {role} by a password", hint=f"Write user={role} password=… in it."
        )
    return login.password


def _wait(dsn: str, patience: float) -> None:
    until = clock.monotonic() + patience
    while True:
        try:
            schema_of(dsn)
            return
        except Unavailable as error:
            if clock.monotonic() >= until:
                raise _no_way_in(OWNER_DSN, error) from error
        threading.Event().wait(PAUSE)


def _try(given: Given, name: str, role: str) -> None:
    """See that a service gets in and finds what it needs: what is wrong shows here, and not when it starts."""
    with opened(given.dsn(name), 1) as store:
        trouble = Readiness(store, given.dsn(name)).why_not()
    if trouble is None:
        return
    if isinstance(trouble, Unavailable):
        try:
            schema_of(given.dsn(name))
        except Unavailable as error:
            raise _no_way_in(name, error) from error
    raise StoreError(f"{role} cannot use the database: {trouble.message}", hint=trouble.hint)


def _no_way_in(name: str, error: Unavailable) -> Unavailable:
    why = " ".join(error.message.split())
    return Unavailable(
        f"{name}: {why}", hint="See that the server runs and that host, name and password in it are right."
    )
