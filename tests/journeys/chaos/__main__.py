"""`make chaos`: the release run. Prints a table for docs/figures.md, and writes nothing."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time

from tests.journeys.chaos.run import Plan, run

#: What half an hour must come to; a shorter run, its share of it.
FULL = 30.0
EVERY = 30.0
LEAST = {"SIGKILL": 200, "PostgreSQL restarts": 30, "lifecycles": 500, "disk cycles": 300}


def main() -> int:
    """Run it; 1 if anything was wrong or too little was done."""
    parser = argparse.ArgumentParser(prog="make chaos", description="Kill everything, again and again.")
    parser.add_argument("--minutes", type=float, default=FULL)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    # What the checker's own pool says of a database that is away is the point of the run.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    print(f"seed {seed}, {given.minutes:g} minutes", file=sys.stderr)
    least = {what: round(full * given.minutes / FULL) for what, full in LEAST.items()}
    result = run(
        Plan(
            seed=seed, seconds=given.minutes * 60, longest=given.minutes * 90, disk_people=5, gpu_people=4, pause=1.5,
            kills=least["SIGKILL"], restarts=least["PostgreSQL restarts"], lifecycles=least["lifecycles"],
            disk_cycles=least["disk cycles"],
        ),
        Progress(),
    )  # fmt: skip
    print(result.table())
    found = {
        "SIGKILL": result.kills,
        "PostgreSQL restarts": result.restarts,
        "lifecycles": result.lifecycles,
        "disk cycles": result.done["disk cycles"],
    }
    little = [f"only {found[what]} {what}" for what, wanted in least.items() if found[what] < wanted]
    for wrong in [*result.wrongs, *little]:
        print(wrong, file=sys.stderr)
    return 1 if result.wrongs or little else 0


class Progress:
    """Says how far it is, twice a minute."""

    def __init__(self) -> None:
        self._said = -EVERY

    def __call__(self, text: str) -> None:
        """Say it, unless something was said just now."""
        if time.monotonic() >= self._said + EVERY:
            self._said = time.monotonic()
            print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
