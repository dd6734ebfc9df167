"""What is done once and is over: one look at all backends, and one sweep of what is due. For CronJobs beside the processors."""

from __future__ import annotations

import pathlib

from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.engine.serving import Serving
from gpudev_sdk.store import bell, people
from gpudev_services.cluster.parts import Given, acting, answering, opened
from gpudev_services.cluster.readiness import Readiness
from gpudev_services.cluster.secrets import ENGINE_DSN


def availability(given: Given, scratch: pathlib.Path, patience: float = 0.0) -> dict[str, str]:
    """Look at every backend once and write it down; return those that could not be seen, and why."""
    dsn = given.dsn(ENGINE_DSN)
    with opened(dsn, 2) as store:
        Readiness(store, dsn).check_within(patience)
        engine, _ = acting(given, store, scratch)
        Inventory(engine).take()
        with store.transaction() as conn:
            rows = conn.execute("SELECT backend, trouble FROM inventory WHERE trouble IS NOT NULL").fetchall()
    return {row["backend"]: row["trouble"] for row in rows if row["backend"] in engine.backends}


def expiry(given: Given, patience: float = 0.0) -> int:
    """Count what was served, and have all that is due looked at; return how many rows that was.

    Counts only what it lived through itself: nobody can vouch for the time between two runs.
    """
    dsn = given.dsn(ENGINE_DSN)
    with opened(dsn, 2) as store:
        Readiness(store, dsn).check_within(patience)
        engine = answering(given, store)
        serving = Serving(engine)
        serving.sweep()
        woken = _wake(engine)
        serving.sweep()
    return woken


def _wake(engine: Engine) -> int:
    with engine.store.transaction() as conn:
        conn.execute(people.Q["forget_nonces"])
        due = {
            "reservation": conn.execute(
                "SELECT id FROM reservation WHERE wake_at <= gpudev_now() AND state <> 'ended' ORDER BY wake_at LIMIT 1000"
            ).fetchall(),
            "disk": conn.execute(
                "SELECT id FROM disk WHERE wake_at <= gpudev_now() ORDER BY wake_at LIMIT 1000"
            ).fetchall(),
        }
        for kind, rows in due.items():
            bell.ring_work(conn, kind, *(row["id"] for row in rows))
        bell.want_plan(conn)
    return sum(len(rows) for rows in due.values())
