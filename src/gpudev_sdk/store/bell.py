"""The bell: what wakes processors, the planner and those who watch. PostgreSQL is the truth; a lost ring costs time only.

Work goes through PGMQ (`work`), so that one processor takes each message; everyone is told by NOTIFY in the same transaction.
"""

from __future__ import annotations

import json
import uuid

import attrs

from gpudev_sdk.store import pgmq
from gpudev_sdk.store.rows import Conn

QUEUE = "work"
CHANNEL = "gpudev"


@attrs.frozen
class Ring:
    """What a message says: a kind and an id, never content."""

    kind: str
    id: uuid.UUID | None = None


def ring_work(conn: Conn, kind: str, row_id: uuid.UUID) -> None:
    """Have a processor look at a row (`reservation` or `disk`)."""
    pgmq.send(conn, QUEUE, {"v": 1, "kind": kind, "id": str(row_id)})
    ring(conn, kind, row_id)


def ring(conn: Conn, kind: str, row_id: uuid.UUID | None = None) -> None:
    """Tell everyone who listens: `reservation`, `disk`, `plan`, `access`."""
    payload = json.dumps({"kind": kind, "id": None if row_id is None else str(row_id)})
    conn.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))


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
    """Say that the plan may come out otherwise now."""
    conn.execute("UPDATE planner SET wanted = wanted + 1")
    ring(conn, "plan")
