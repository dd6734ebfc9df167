"""What a reservation leaves in the database, and what it costs to read the metrics. `python benchmarks/rows.py [LIVES]`.

Each life is submitted, given out, active, ended by its owner; it has no disk. Bytes are of tables with their indexes, after a
VACUUM, so they are what stays for good; `a_work` is what a week's messages take, which are deleted then.
"""

from __future__ import annotations

import pathlib
import sys
import time

import psycopg
from measure import line
from scratch import Scratch, percentile, scratch

from gpudev_sdk.store import roles
from gpudev_services.api.figures import counts
from tests.load.crew import crews

LIVES = 1_000
SIZES = (
    "SELECT relname, pg_total_relation_size(relid) AS bytes, n_live_tup AS rows FROM pg_stat_user_tables"
    " WHERE schemaname IN ('public', 'pgmq')"
)


def sizes(made: Scratch) -> dict[str, tuple[int, int]]:
    """Return bytes and rows of every table, cleaned."""
    with psycopg.connect(made.embedded.dsn(roles.OWNER), autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
        return {name: (size, rows) for name, size, rows in conn.execute(SIZES)}


def live(made: Scratch, lives: int) -> None:
    """Have so many reservations come and end."""
    storm = made.storm()
    users = storm.people(lives)
    with crews(made.dsn, made.place, processes=2, processors=4), storm.owners():
        storm.submit_orders([(users[number % len(users)], 1, 1) for number in range(lives)], threads=8)
        storm.wait_for_the_end(lives, within=1200.0)


def scrapes(made: Scratch) -> list[float]:
    """Return how long each of some readings of the metrics takes."""
    took = []
    for _ in range(50):
        began = time.perf_counter()
        counts(made.store, None)
        took.append(time.perf_counter() - began)
    return took


def dumped(made: Scratch, folder: pathlib.Path) -> tuple[float, int]:
    """Return how long a backup takes, and its size."""
    began = time.perf_counter()
    made.embedded.dump(folder / "dump")
    return time.perf_counter() - began, (folder / "dump").stat().st_size


def main() -> None:
    """Print the figures."""
    lives = int(sys.argv[1]) if len(sys.argv) > 1 else LIVES
    with scratch(nodes=lives // 8 + 1) as made:
        before = sizes(made)
        early = percentile(scrapes(made), 0.5)
        live(made, lives)
        after = sizes(made)
        grown = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
        kept = {name: size for name, (size, _) in grown.items() if name not in ("a_work", "q_work")}
        line("kept of a reservation", f"{sum(kept.values()) / lives:.0f} bytes", f"n {lives}")
        for name, (size, rows) in sorted(grown.items(), key=lambda each: -each[1][0])[:6]:
            line(f"  {name}", f"{size / lives:.0f} bytes", f"{rows / lives:.1f} rows")
        late = percentile(scrapes(made), 0.5)
        line(
            "reading the metrics, of the database",
            f"{late * 1000:.1f} ms",
            f"before the {lives}: {early * 1000:.1f} ms",
        )
        took, size = dumped(made, made.place.folder)
        line("backup", f"{took:.2f} s, {size / lives:.0f} bytes a reservation")


if __name__ == "__main__":
    main()
