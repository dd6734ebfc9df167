"""`doctor` and `adopt` where services run apart: run beside a processor, which has the rights and the way to the backends."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import NoReturn

from gpudev_sdk.engine import doctor as doctors
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import Conflict, NotAllowed
from gpudev_sdk.store import people
from gpudev_services.cluster.parts import Given, acting, opened
from gpudev_services.cluster.readiness import Readiness
from gpudev_services.cluster.secrets import ENGINE_DSN
from gpudev_services.up.powers import Powers


@contextlib.contextmanager
def _engine(given: Given, scratch: pathlib.Path) -> Iterator[Engine]:
    dsn = given.dsn(ENGINE_DSN)
    with opened(dsn, 2) as store:
        Readiness(store, dsn).check()
        engine, _ = acting(given, store, scratch)
        yield engine


def doctor(given: Given, scratch: pathlib.Path) -> list[str]:
    """Return what is not as it should be, each with the next step; nothing if all is well."""
    with _engine(given, scratch) as engine:
        found = doctors.examine(engine).findings
    return [f"{one.law}: {one.what}\n  {one.next_step}" for one in found]


def adopt(given: Given, scratch: pathlib.Path, backend: str, seen: str | None) -> tuple[list[str], bool]:
    """Return how a backend and the database differ, and whether work goes on there: with `seen`, what was listed is agreed to."""
    with _engine(given, scratch) as engine:
        powers = Powers(engine, _no_dump, lambda: None)
        paused, differences, now = powers.differences(backend)
        listed = [f"{what}\n  {consequence}" for what, consequence in differences] or ["they do not differ"]
        if seen is not None:
            _take(engine, powers, backend, seen, now)
            return [f"{backend} is adopted; everybody signs in again"], True
    if paused is None:
        return [*listed, f"{backend} is not paused"], True
    return [f"{backend} is paused: {paused}", *listed, f"Agree: gpudev-services adopt {backend} --seen {now}"], False


def _take(engine: Engine, powers: Powers, backend: str, seen: str, now: str) -> None:
    if seen != now:
        raise Conflict("things changed since they were listed", hint=f"Look again: gpudev-services adopt {backend}.")
    event = {"actor": "operator", "via": "services", "action": "adopt", "object": backend, "request_id": ""}
    with engine.store.transaction() as conn:
        conn.execute(people.Q["audit"], event)
    powers.adopt(backend)


def _no_dump(path: pathlib.Path) -> NoReturn:
    raise NotAllowed("this server runs no PostgreSQL of its own", hint="Use pg_dump: docs/operate/backup.md.")
