"""The bell: what wakes processors, the planner and those who watch. PostgreSQL is the truth; a lost ring costs time only.

Work goes through PGMQ (`work`), so that one processor takes each message; everyone is told by NOTIFY in the same transaction.
"""

from __future__ import annotations

import json
import uuid

import attrs
from psycopg.types.json import Jsonb

from gpudev_sdk.store.rows import Conn

QUEUE = "work"
CHANNEL = "gpudev"
#: The kind of notice that goes with a message; a change without one is no work for processors.
WORK = "work"


@attrs.frozen
class Ring:
    """What a message says: a kind and an id, never content."""

    kind: str
    id: uuid.UUID | None = None


def ring_work(conn: Conn, kind: str, *row_ids: uuid.UUID) -> None:
    """Have a processor look at each of these rows (`reservation` or `disk`); it hears `work`, everyone else what changed."""
    messages = [Jsonb({"v": 1, "kind": kind, "id": str(row_id)}) for row_id in row_ids]
    changed, work = ([_notice(what, row_id) for row_id in row_ids] for what in (kind, WORK))
    conn.execute(
        "SELECT pgmq.send(%s::text, work.message), pg_notify(%s, work.changed), pg_notify(%s, work.work)"
        " FROM unnest(%s::jsonb[], %s::text[], %s::text[]) AS work (message, changed, work)",
        (QUEUE, CHANNEL, CHANNEL, messages, changed, work),
    )


def ring(conn: Conn, kind: str, row_id: uuid.UUID | None = None) -> None:
    """Tell everyone who listens: `reservation`, `disk`, `plan`, `access`; processors hear only `work`."""
    conn.execute("SELECT pg_notify(%s, %s)", (CHANNEL, _notice(kind, row_id)))


def _notice(kind: str, row_id: uuid.UUID | None) -> str:
    return json.dumps({"kind": kind, "id": None if row_id is None else str(row_id)})


def parse_ring(payload: str) -> Ring | None:
    """Read a notice; None for anything that is not one of ours."""
    try:
        plain = json.loads(payload)
        return Ring(str(plain["kind"]), uuid.UUID(plain["id"]) if plain.get("id") else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def parse_message(body: object) -> Ring | None:
    """Read a message's body; None for a poisonous one."""
    if not isinstance(body, dict) or body.get("v") != 1 or body.get("kind") not in ("reservation", "disk"):
        return None
    try:
        return Ring(str(body["kind"]), uuid.UUID(str(body["id"])))
    except (ValueError, KeyError):
        return None


def want_plan(conn: Conn) -> None:
    """Say that the plan may come out otherwise now; the last thing in a transaction, for others wait to say so too."""
    conn.execute(
        "WITH wish AS (UPDATE planner SET wanted = wanted + 1) SELECT pg_notify(%s, %s)",
        (CHANNEL, _notice("plan", None)),
    )
