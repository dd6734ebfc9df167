"""A long line: what a submit and a look at one's place take with 5,000 and with 50,000 waiting. `make bench`.

Control planes are at work meanwhile (one planner and two processors in another process), so the planner plans the whole
line again and again while it is measured.
"""

from __future__ import annotations

import concurrent.futures
import random
import sys
import time

from measure import line
from scratch import Scratch, percentile, scratch

from gpudev_sdk.engine import show
from gpudev_sdk.errors import Unavailable
from tests.load.crew import crews
from tests.load.line import fill

LINES = ((5_000, "bar 250 ms", "bar 100 ms"), (50_000, "no bar but no error", "no bar but no error"))
CALLS = 500
#: People who do something at the same time.
THREADS = 8


def timed(calls: list, threads: int = THREADS) -> tuple[list[float], int]:
    """Make all calls; return the seconds each took, and how many could not be answered."""
    took: list[float] = []
    errors: list[Unavailable] = []

    def once(call) -> None:
        began = time.perf_counter()
        try:
            call()
        except Unavailable as error:
            errors.append(error)
        took.append(time.perf_counter() - began)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(once, calls))
    return took, len(errors)


def say(what: str, took: list[float], errors: int, bar: str) -> None:
    """Print the figures of one kind of call."""
    middle, high, most = (percentile(took, share) * 1000 for share in (0.5, 0.99, 1.0))
    line(
        what,
        f"{high:.0f} ms",
        f"{bar}; median {middle:.0f} ms, longest {most:.0f} ms, {errors} errors, {len(took)} calls",
    )


def measure(made: Scratch, waiting: int, bars: tuple[str, str]) -> None:
    """Fill the line, and do what people do."""
    chance = random.Random(3)
    storm = made.storm()
    users = storm.people(CALLS)
    in_line = fill(made.store, waiting)
    with crews(made.dsn, made.place, processes=1, processors=2):
        deadline = time.monotonic() + 120
        while storm.rows("SELECT FROM planner WHERE planned < wanted") and time.monotonic() < deadline:
            time.sleep(0.1)
        say(
            f"submit with {waiting} waiting, p99",
            *timed([lambda n=n: storm.submit_one(users[n % len(users)], 1 + n % 8, 2) for n in range(CALLS)]),
            bars[0],
        )
        asked = [chance.choice(in_line) for _ in range(CALLS)]
        say(f"place in line with {waiting} waiting, p99",
            *timed([lambda one=one: show.show(made.engine, one) for one in asked]), bars[1])  # fmt: skip


def main() -> None:
    """Print the figures."""
    longest = int(sys.argv[1]) if len(sys.argv) > 1 else LINES[-1][0]
    for waiting, *bars in LINES:
        if waiting <= longest:
            with scratch(nodes=8) as made:
                measure(made, waiting, tuple(bars))


if __name__ == "__main__":
    main()
