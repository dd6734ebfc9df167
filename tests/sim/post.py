"""What may happen to messages between the bell and a worker: lost, doubled, late, out of order, poisoned.

PGMQ is real and keeps its own, real, clock: a simulation never waits for it, so that a message which was read and not put away
is made visible again here.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import psycopg
from psycopg.types.json import Jsonb

#: Bodies that say nothing a worker could follow.
POISON: tuple[object, ...] = (
    {"v": 1, "kind": "reservation", "id": "no id"},
    {"v": 1, "kind": "reservation"},
    {"v": 2, "kind": "reservation", "id": "00000000-0000-7000-8000-000000000000"},
    {"v": 1, "kind": "volcano", "id": "00000000-0000-7000-8000-000000000000"},
    {"v": 1, "kind": "reservation", "id": "00000000-0000-7000-8000-000000000000"},
    {"v": 1, "kind": ["reservation"], "id": {}},
    {},
    [],
    "text",
    None,
    {"v": 1, "kind": "disk", "id": "x" * 100_000},
)


class Post:
    """Handles the queue's table as its owner."""

    def __init__(self, conn: psycopg.Connection[dict[str, object]], rng: random.Random, rate: float) -> None:
        self._conn = conn
        self._rng = rng
        self._rate = rate
        self.done: dict[str, int] = {}
        self._ways: tuple[Callable[[int], str], ...] = (self._lose, self._double, self._delay, self._hurry)

    def meddle(self) -> None:
        """Do something to some of the messages."""
        rows = self._conn.execute("SELECT msg_id FROM pgmq.q_work ORDER BY msg_id").fetchall()
        for row in rows:
            if self._rng.random() < self._rate:
                self._count(self._ways[self._rng.randrange(len(self._ways))](int(str(row["msg_id"]))))
        if self._rng.random() < self._rate:
            body = POISON[self._rng.randrange(len(POISON))]
            self._conn.execute("SELECT pgmq.send('work', %s::jsonb)", (Jsonb(body),))
            self._count("poisoned")

    def make_visible(self) -> None:
        """Let what was read and never put away be read again, as after its time ran out."""
        self._conn.execute("UPDATE pgmq.q_work SET vt = now() - interval '1 s' WHERE vt > now()")

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def _lose(self, number: int) -> str:
        self._conn.execute("DELETE FROM pgmq.q_work WHERE msg_id = %s", (number,))
        return "lost"

    def _double(self, number: int) -> str:
        self._conn.execute("SELECT pgmq.send('work', message) FROM pgmq.q_work WHERE msg_id = %s", (number,))
        return "doubled"

    def _delay(self, number: int) -> str:
        self._conn.execute("UPDATE pgmq.q_work SET vt = now() + interval '1 h' WHERE msg_id = %s", (number,))
        return "delayed"

    def _hurry(self, number: int) -> str:
        """Show it to a second worker while the first may still be at it; and before older ones."""
        self._conn.execute("UPDATE pgmq.q_work SET vt = now() - interval '1 s' WHERE msg_id = %s", (number,))
        return "shown twice"
