"""A storm: many requests at once for few GPUs, until every one of them has ended; and what must be true afterwards."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import json
import random
import threading
import time
import uuid

import attrs

from gpudev_sdk.domain.request import Request
from gpudev_sdk.engine import accounts, edits
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.submit import Submission, submit
from gpudev_sdk.errors import Conflict, Unavailable
from tests.load.folder_backend import Place

#: A person has so many at once; the limit of the defaults.
EACH = 20
LOOK = 0.02


@attrs.define
class Storm:
    """What was asked for, and how long each thing took."""

    engine: Engine
    place: Place
    asked: dict[uuid.UUID, object] = attrs.field(factory=dict)
    #: Seconds that each submit took.
    submits: list[float] = attrs.field(factory=list)
    _stop: threading.Event = attrs.field(factory=threading.Event)

    def people(self, requests: int) -> list:
        """Make as many people as it takes to ask for so much."""
        return [accounts.add_user(self.engine, f"p{number}", None) for number in range(-(-requests // EACH))]

    def submit_all(self, requests: int, *, threads: int = 16, seed: int = 1) -> None:
        """Submit all requests at once, of 1 to 8 GPUs for 1 to 24 hours."""
        chance = random.Random(seed)
        users = self.people(requests)
        orders = [
            (users[number % len(users)], chance.choice((1, 1, 2, 2, 3, 4, 5, 6, 7, 8)), chance.choice((1, 2, 4, 8, 24)))
            for number in range(requests)
        ]
        chance.shuffle(orders)
        self.submit_orders(orders, threads=threads)

    def submit_orders(self, orders: list[tuple], *, threads: int) -> None:
        """Submit all (person, GPUs, hours), as many at a time as there are threads."""
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda order: self.submit_one(*order), orders))

    def submit_one(self, user, gpus: int, hours: int) -> uuid.UUID:
        """Submit one request, again with the same key when the database could not answer."""
        request = Request(gpu_type="h100", gpus=gpus, duration=dt.timedelta(hours=hours))
        order = Submission(request=request, idempotency_key=str(uuid.uuid4()))
        began = time.perf_counter()
        while True:
            with contextlib.suppress(Unavailable):
                made = submit(self.engine, user, order)
                break
        self.submits.append(time.perf_counter() - began)
        self.asked[made] = user
        return made

    def rows(self, statement: str, *values) -> list:
        """Read something."""
        with self.engine.store.transaction() as conn:
            return conn.execute(statement, values).fetchall()

    def states(self) -> dict[str, int]:
        """Count rows by state."""
        return {
            row["state"]: row["n"] for row in self.rows("SELECT state, count(*) AS n FROM reservation GROUP BY state")
        }

    def _end_active(self) -> None:
        """Have the owner of each active box end it, as soon as it is active."""
        seen: set[uuid.UUID] = set()
        while not self._stop.wait(LOOK):
            with contextlib.suppress(Unavailable):
                active = self.rows(
                    "SELECT id FROM reservation WHERE state = 'active' AND cancel_requested_at IS NULL ORDER BY seq"
                )
                for row_id in [row["id"] for row in active if row["id"] in self.asked and row["id"] not in seen]:
                    with contextlib.suppress(Conflict):
                        edits.cancel(self.engine, self.asked[row_id], str(row_id))
                    seen.add(row_id)

    @contextlib.contextmanager
    def owners(self, threads: int = 1):
        """Have the owners end what is active for as long as the block lasts."""
        workers = [threading.Thread(target=self._end_active) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            self._stop.set()
            for worker in workers:
                worker.join()

    def wait_for_the_end(self, requests: int, *, within: float) -> None:
        """Return when all have ended; raise TimeoutError with the states otherwise."""
        deadline = time.monotonic() + within
        while (states := self.states()) != {"ended": requests}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {within} s the rows are {states}")
            time.sleep(0.1)

    def plans(self) -> list[dict]:
        """Return what the watched planners noted."""
        return [
            json.loads(text)
            for path in sorted(self.place.folder.glob("plans-*.jsonl"))
            for text in path.read_text().splitlines()
        ]

    def wrong_starts(self) -> list[str]:
        """Return starts that a plan gave against the line, and starts of which no plan spoke."""
        plans = self.plans()
        planned = {tuple(start) for noted in plans for start in noted["starts"]}
        started = self.rows("SELECT reservation_id, detail FROM reservation_event WHERE what = 'to-preparing'")
        unplanned = [row for row in started if (str(row["reservation_id"]), row["detail"]) not in planned]
        return [text for noted in plans for text in noted["wrong"]] + [f"no plan started {row}" for row in unplanned]

    def starts(self) -> int:
        """Return how many times a request got its slots."""
        return self.rows("SELECT count(*) AS n FROM reservation_event WHERE what = 'to-preparing'")[0]["n"]
