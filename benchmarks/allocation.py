"""How fast GPUs are given out, beside the bare SQL of it in the same run; and a storm of 5,000. `make bench`.

What is counted:
- the bare SQL: one allocation and one freeing, each its own transaction, by 8 clients (`kernel.sql`, pgbench);
- given out: rows from `queued` to `preparing` with their slots, event and message committed, the plan of all others
  included, by the planner alone, from the moment it is asked;
- submitted and given out: the same from the first submit on, with 8 submitting threads;
- whole lives: rows from submit over preparing and active, ended by their owner, to `ended`, by 8 processors in 2 processes;
- the storm: as whole lives, 1 to 8 GPUs each, all at once for 64 GPUs; nothing may be held twice and nobody overtaken.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time

import psycopg
from measure import line
from scratch import Scratch, percentile, scratch

from gpudev_sdk.engine.planning import run_planner
from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded.binaries import program
from tests.load.crew import crews
from tests.load.line import fill
from tests.load.storm import Storm

KERNEL = pathlib.Path(__file__).with_name("kernel.sql")
KERNEL_SECONDS = 10
GIVEN, LIVES, STORM = 2_000, 1_000, 5_000
PROCESSES, PROCESSORS = 2, 4
LONGEST = 1200.0


def kernel(made: Scratch, folder: pathlib.Path) -> float:
    """Return the allocations in a second of the bare SQL, with as many freeings beside them."""
    dsn = made.embedded.dsn(roles.OWNER)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(KERNEL.read_bytes())
    script = folder / "pair.sql"
    script.write_text("SELECT kernel.allocate();\nSELECT kernel.free();\n")
    command = [
        program("pgbench"),
        "-n",
        "-c",
        "8",
        "-j",
        "2",
        "-T",
        str(KERNEL_SECONDS),
        "-M",
        "prepared",
        "-f",
        script,
        dsn,
    ]
    subprocess.run(command, check=True, capture_output=True)
    with psycopg.connect(dsn) as conn:
        row = conn.execute("SELECT count(*) FROM kernel.reservation WHERE state <> 'queued'").fetchone()
    assert row is not None
    return int(row[0]) / KERNEL_SECONDS


def given_out(made: Scratch) -> float:
    """Return how many rows in a second the planner gives their slots, once they are in line."""
    fill(made.store, GIVEN, sizes=(1,))
    began = time.perf_counter()
    assert run_planner(made.engine, "bench") == GIVEN
    return GIVEN / (time.perf_counter() - began)


def submitted_and_given_out(made: Scratch) -> float:
    """Return how many rows in a second come from a submit to their slots, with a planner in another process."""
    storm = made.storm()
    users = storm.people(GIVEN)
    began = time.perf_counter()
    with crews(made.dsn, made.place, processes=1, processors=0):
        began = time.perf_counter()
        storm.submit_orders([(users[number % len(users)], 1, 1) for number in range(GIVEN)], threads=8)
        while storm.states() != {"preparing": GIVEN}:
            time.sleep(0.01)
    return GIVEN / (time.perf_counter() - began)


def whole_lives(made: Scratch) -> float:
    """Return how many rows in a second go from a submit to their end, where GPUs are not what is short."""
    storm = made.storm()
    users = storm.people(LIVES)
    with crews(made.dsn, made.place, processes=PROCESSES, processors=PROCESSORS), storm.owners():
        began = time.perf_counter()
        storm.submit_orders([(users[number % len(users)], 1, 1) for number in range(LIVES)], threads=8)
        storm.wait_for_the_end(LIVES, within=LONGEST)
        return LIVES / (time.perf_counter() - began)


def the_storm(made: Scratch, requests: int) -> None:
    """Submit all at once for 64 GPUs, watched; print what was wrong."""
    storm = made.storm()
    crew = crews(made.dsn, made.place, processes=PROCESSES, processors=PROCESSORS, watched=True)
    with crew, storm.owners():
        began = time.perf_counter()
        storm.submit_all(requests)
        submitted = time.perf_counter() - began
        storm.wait_for_the_end(requests, within=LONGEST)
        took = time.perf_counter() - began
    line(
        f"storm of {requests} for 64 GPUs: ended",
        f"{storm.states()['ended']}",
        f"in {took:.0f} s, {storm.starts()} starts",
    )
    line("  held twice", f"{len(made.place.doubles())}", "bar 0")
    line(
        "  overtaken, or started by no plan",
        f"{len(storm.wrong_starts())}",
        f"bar 0; {len(storm.plans())} plans checked",
    )
    line("  boxes left, slots left", f"{len(made.place.boxes())}, {left(storm)}", "bar 0")
    high, middle = (f"{percentile(storm.submits, share) * 1000:.0f} ms" for share in (0.99, 0.5))
    line("  submit, p99", high, f"16 at a time, beside all of the above; median {middle}; all in {submitted:.0f} s")


def left(storm: Storm) -> int:
    """Return how many slots are held."""
    return storm.rows("SELECT count(*) AS n FROM gpu_slot WHERE reservation_id IS NOT NULL")[0]["n"]


def main() -> None:
    """Print the figures."""
    with scratch(nodes=GIVEN // 8) as made:
        floor = kernel(made, made.place.folder)
        line("bare SQL, one at a time: allocations/s", f"{floor:.0f}", "as many freeings beside them")
        rate = given_out(made)
        line("given out by the planner: allocations/s", f"{rate:.0f}", f"bar 500; {rate / floor:.1f} × the bare SQL")
    for what, measure in (
        ("submitted and given out", submitted_and_given_out),
        ("whole lives, 8 processors", whole_lives),
    ):
        with scratch(nodes=GIVEN // 8) as made:
            rate = measure(made)
            line(f"{what}: allocations/s", f"{rate:.0f}", f"{rate / floor:.2f} × the bare SQL")
    with scratch(nodes=8) as made:
        the_storm(made, int(sys.argv[1]) if len(sys.argv) > 1 else STORM)


if __name__ == "__main__":
    main()
