"""The seeded tormentor: draws cards from a shuffled deck, does what they say, and takes the time of each recovery."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable

import attrs
import psycopg

from gpudev_sdk.local import identity
from gpudev_sdk.local.boxes import INIT, SUPERVISOR
from tests.journeys.chaos.cutting import Scissors
from tests.journeys.chaos.meddling import Meddler
from tests.journeys.chaos.rig import API, PROCESSORS, Rig

#: How often each card is in the deck. Three in five are a SIGKILL.
DECK = {
    "processor": 13,
    "gpudev up": 4,
    "box supervisor": 4,
    "box": 2,
    "postgres at once": 3,
    "postgres backend": 2,
    "stop a processor": 2,
    "stop gpudev up": 1,
    "cut database": 3,
    "cut requests": 2,
    "lose messages": 3,
    "double messages": 1,
}
#: Past the lease of 20 s, so that whoever wakes up is a stale worker.
STOPPED = 22.0
#: How long after its death a processor is started again: at once, or so late that others must take up its rows.
HOLDS = (0.0,) * 11 + (30.0,)
#: How often a processor is killed that holds a row just then, and the time taken until somebody else has it.
AIMED = 0.4
LONGEST_RECOVERY = 90.0
LEASED = "SELECT id, lease_epoch, lease_holder FROM reservation WHERE lease_until > gpudev_now() AND state <> 'ended'"
ORPHANED = (
    "SELECT count(*) FROM reservation WHERE id = %s AND lease_epoch = %s AND lease_holder = %s AND state <> 'ended'"
)
UNRUNG = """
UPDATE reservation SET wake_at = gpudev_now() WHERE id = (
    SELECT id FROM reservation WHERE state = 'active' AND lease_until IS NULL ORDER BY random() LIMIT 1)
RETURNING id, lease_epoch
"""
TAKEN_UP = "SELECT 1 FROM reservation WHERE id = %s AND (lease_epoch > %s OR state = 'ended')"
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename IN ('gpudev_engine', 'gpudev_api') AND random() < 0.6
"""
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE usename IN ('gpudev_engine', 'gpudev_api') ORDER BY random() LIMIT 1"


@attrs.define
class Times:
    """Seconds that each recovery took."""

    worker: list[float] = attrs.field(factory=list)
    database: list[float] = attrs.field(factory=list)
    message: list[float] = attrs.field(factory=list)

    def all(self) -> list[float]:
        """Return every sample."""
        return [*self.worker, *self.database, *self.message]


class Tormentor:
    """Draws a card every few seconds; it repeats itself for a seed as far as processes do."""

    def __init__(self, rig: Rig, scissors: Scissors, seed: int, pause: float) -> None:
        self._rig, self._scissors, self._pause = rig, scissors, pause
        self._rng = random.Random(f"{seed} tormentor")
        self._meddler = Meddler(rig)
        self._deck: list[str] = []
        self.done: Counter[str] = Counter()
        self.times = Times()
        self._acts: dict[str, Callable[[], bool]] = {
            "processor": self._kill_processor,
            "gpudev up": self._kill_up,
            "box supervisor": lambda: self._kill_of_box(SUPERVISOR),
            "box": lambda: self._kill_of_box(INIT),
            "postgres at once": self._end_postgres,
            "postgres backend": self._kill_backend,
            "stop a processor": lambda: self._stop(self._rng.choice(PROCESSORS)),
            "stop gpudev up": lambda: self._stop(API),
            "cut database": self._cut_database,
            "cut requests": self._cut_requests,
            "lose messages": self._lose,
            "double messages": self._double,
        }

    def torment(self, until: Callable[[], bool]) -> None:
        """Go on until told that it is enough, then have messages arrive again."""
        while not until():
            time.sleep(self._pause * (0.5 + self._rng.random()))
            card = self._draw()
            try:
                done = self._acts[card]()
            except psycopg.OperationalError:
                # The database went away under the tormentor's own hands.
                done = False
            self.done[card] += done
            if not done:
                self._deck.insert(self._rng.randrange(len(self._deck) + 1), card)
        self._scissors.chance = 0.0
        self._meddler.have("sent")

    def count(self, cards: tuple[str, ...]) -> int:
        """Return how often these were done."""
        return sum(self.done[card] for card in cards)

    def messages(self) -> dict[str, int]:
        """Return how many messages were lost and doubled."""
        return self._meddler.counts()

    def _draw(self) -> str:
        """Draw a card: of a new deck, one of each kind comes first."""
        if not self._deck:
            kinds = list(DECK)
            rest = [card for card, count in DECK.items() for _ in range(count - 1)]
            self._rng.shuffle(kinds)
            self._rng.shuffle(rest)
            self._deck = rest + kinds
        return self._deck.pop()

    # SIGKILL

    def _kill_processor(self) -> bool:
        aimed = self._rng.random() < AIMED
        name, holder = self._one_at_work() if aimed else (self._rng.choice(PROCESSORS), "")
        hold = self._rng.choice(HOLDS)
        if not self._rig.services[name].is_up:
            return False
        self._rig.kill(name, hold)
        killed = time.monotonic()
        if holder:
            left = [row for row in self._rig.sql(LEASED) if row[2] == holder]
            if left:
                self._came(lambda: not any(self._rig.sql(ORPHANED, row)[0][0] for row in left))
                self.times.worker.append(time.monotonic() - killed)
        return True

    def _one_at_work(self) -> tuple[str, str]:
        """Return a processor that holds a row just now, with the holder's name, or any."""
        give_up = time.monotonic() + 1.0
        with self._rig.connection() as conn:
            while time.monotonic() < give_up:
                for _, _, holder in conn.execute(LEASED).fetchall():
                    name = self._rig.service_of(_pid(holder))
                    if name in PROCESSORS:
                        return name, holder
                time.sleep(0.01)
        return self._rng.choice(PROCESSORS), ""

    def _kill_up(self) -> bool:
        self._rig.kill(API)
        return True

    def _kill_of_box(self, record: str) -> bool:
        found = self._rig.boxes(record)
        return bool(found) and identity.send(self._rng.choice(found), identity.boot_id(), signal.SIGKILL)

    # PostgreSQL

    def _end_postgres(self) -> bool:
        server = self._rig.postmaster()
        if server is None:
            return False
        before = self._healthy_api()
        server.signal(signal.SIGQUIT)
        gone = server.wait(20)
        server.close()
        assert gone, "PostgreSQL did not end at once"
        self._time_database(before)
        return True

    def _kill_backend(self) -> bool:
        before = self._healthy_api()
        with self._rig.connection("postgres", "postgres") as conn:
            found = conn.execute(BACKENDS).fetchone()
        if found is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            handle = identity.identify(found[0], identity.boot_id())
            if handle is None or not identity.send(handle, identity.boot_id(), signal.SIGKILL):
                return False
        # The postmaster needs a moment to see it and to end all others.
        self._came(lambda: not self._rig.is_answering(), within=1.0, every=0.005)
        self._time_database(before)
        return True

    def _healthy_api(self) -> int:
        """Return which start of the API is healthy now; 0 if it is away or still starting."""
        return self._rig.services[API].starts if self._rig.healthy() else 0

    def _time_database(self, before: int) -> None:
        """Wait until it is back, and take how long the API needs from then on, if it was healthy before and left alone."""
        api = self._rig.services[API]
        if not self._came(self._rig.is_answering, every=0.02):
            raise AssertionError(f"PostgreSQL did not come back in {LONGEST_RECOVERY} s\n{self._rig.tails()}")
        back = time.monotonic()
        self._came(lambda: self._rig.healthy(6.0), every=0.02)
        if api.is_up and api.starts == before:
            self.times.database.append(time.monotonic() - back)

    # Stops and cuts

    def _stop(self, name: str) -> bool:
        up = [service.name for service in self._rig.services.values() if service.is_up]
        if name not in up or len(up) < 3:
            return False
        self._rig.stop(name, STOPPED)
        return True

    def _cut_database(self) -> bool:
        return self._rig.as_superuser(TERMINATE) > 0

    def _cut_requests(self) -> bool:
        self._scissors.chance = 0.5
        time.sleep(3)
        self._scissors.chance = 0.0
        return True

    # Messages

    def _lose(self) -> bool:
        """Lose messages, or leave the bell unrung altogether, and take how long the last row waits for somebody."""
        if self._rng.random() < 0.5:
            return self._leave_unrung()
        number = self._meddler.last()
        self._meddler.have("lost")
        self._came(lambda: self._meddler.lost_since(number) > 0, within=5.0)
        self._meddler.have("sent")
        lost = time.monotonic()
        if not self._meddler.lost_since(number):
            return False
        self._came(lambda: not self._meddler.waiting(number), every=0.05)
        self.times.message.append(time.monotonic() - lost)
        return True

    def _leave_unrung(self) -> bool:
        """Have a row's time come without a message and without a notice, as when both are lost."""
        rows = self._rig.sql(UNRUNG)
        if not rows:
            return False
        begun = time.monotonic()
        self._came(lambda: bool(self._rig.sql(TAKEN_UP, rows[0])), every=0.05)
        self.times.message.append(time.monotonic() - begun)
        return True

    def _double(self) -> bool:
        self._meddler.have("doubled")
        time.sleep(3)
        self._meddler.have("sent")
        return True

    def _came(self, what: Callable[[], bool], within: float = LONGEST_RECOVERY, every: float = 0.1) -> bool:
        give_up = time.monotonic() + within
        while not what():
            if time.monotonic() > give_up:
                return False
            time.sleep(every)
        return True


def _pid(holder: str) -> int:
    found = re.search(r"-(\d+)-\d+\Z", holder)
    return int(found[1]) if found else 0
