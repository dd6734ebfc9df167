"""Fills the line with requests that were accepted earlier, by the thousand: for what happens once they are there."""

from __future__ import annotations

import datetime as dt
import random

from psycopg.types.json import Jsonb

from gpudev_sdk.domain.request import Request, request_to_json
from gpudev_sdk.domain.user import User
from gpudev_sdk.store import ids
from gpudev_sdk.store.rows import user_from_row

#: As a person may have so many at once.
EACH = 20

_PERSON = "INSERT INTO app_user (id, name, is_admin) VALUES (%(owner)s, %(person)s, false) ON CONFLICT DO NOTHING"
_REQUEST = """
INSERT INTO reservation (id, owner_id, name, request, request_digest, idempotency_key, gpu_type, gpus, slots_needed, priority,
    state, granted, state_deadline, queue_deadline, wake_at)
VALUES (%(id)s, %(owner)s, %(name)s, %(request)s, '', %(name)s, 'h100', %(gpus)s, %(gpus)s, 0, 'queued', %(granted)s,
    gpudev_now() + interval '2 days', gpudev_now() + interval '2 days', gpudev_now() + interval '2 days')
"""
_EVENT = """
INSERT INTO reservation_event (reservation_id, generation, what, to_state, actor)
VALUES (%(id)s, 1, 'submitted', 'queued', %(person)s)
"""
SIZES = (1, 1, 2, 2, 3, 4, 5, 6, 7, 8)
HOURS = (1, 2, 4, 8, 24)


def fill(store, count: int, *, sizes=SIZES, hours=HOURS, seed: int = 1) -> list:
    """Put `count` requests of mixed shapes in line, `EACH` a person; return their ids in the order of the line."""
    chance = random.Random(seed)
    owners = [ids.new() for _ in range(-(-count // EACH))]
    rows = [
        _row(owners[number // EACH], number, chance.choice(sizes), dt.timedelta(hours=chance.choice(hours)))
        for number in range(count)
    ]
    with store.transaction() as conn, conn.cursor() as cursor:
        cursor.executemany(_PERSON, rows[::EACH])
        for statement in (_REQUEST, _EVENT):
            cursor.executemany(statement, rows)
        conn.execute("UPDATE planner SET wanted = wanted + 1")
    return [row["id"] for row in rows]


def _row(owner, number, gpus, granted):
    request = Request(gpu_type="h100", gpus=gpus, duration=granted)
    return {"id": ids.new(), "owner": owner, "person": f"w{owner.hex}", "name": f"box-{number}", "gpus": gpus,
            "granted": granted, "request": Jsonb(request_to_json(request))}  # fmt: skip


def rows(engine, statement: str, *values) -> list:
    """Run a statement and return what it returns."""
    with engine.store.transaction() as conn:
        return conn.execute(statement, values).fetchall()


def owner_of(engine, row_id) -> User:
    """Return whose a reservation is."""
    found = rows(engine, "SELECT u.* FROM reservation r JOIN app_user u ON u.id = r.owner_id WHERE r.id = %s", row_id)
    return user_from_row(found[0])
