"""Runs seeds of the simulation and reports, as Markdown: what was lived through, which faults were tried how often, what broke.

python -m tests.sim --seed 17                 one seed, told whole if it fails
python -m tests.sim --cloud aws --seed 1      one over a plugin and the fake of its cloud
python -m tests.sim --seeds 0-219 --jobs 2    a release run
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import os
import pathlib
import shutil
import sys
import tempfile
import time

import attrs
import structlog

from gpudev_sdk.store.embedded import Embedded
from tests.fix_database import QUICK, fresh_database, make_template
from tests.sim.faults import CELLS, MODES
from tests.sim.places import CLOUDS
from tests.sim.simulation import Simulation, Violated

#: Reservations that each seed asks for.
LIFECYCLES = 52
ENOUGH = 50
#: Seeds that share a PostgreSQL.
CHUNK = 5


@attrs.frozen(kw_only=True)
class Outcome:
    """What one seed came to."""

    seed: int
    lifecycles: int
    faults: dict[tuple[str, str], int]
    outside: dict[str, int]
    checks: int
    hours: float
    seconds: float
    digest: str
    violation: str | None


def live(seeds: list[int], lifecycles: int, cloud: str = "simulated") -> list[Outcome]:
    """Live through some seeds, on a PostgreSQL of their own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gpudev-sim-"))
    server = Embedded(folder, settings=QUICK | {"autovacuum": "off"}, ballast_bytes=1024)
    server.start()
    try:
        template = make_template(server)
        return [_live(server, template, (seed, lifecycles, cloud)) for seed in seeds]
    finally:
        server.stop()
        shutil.rmtree(folder)


def _live(server: Embedded, template: str, asked: tuple[int, int, str]) -> Outcome:
    (seed, lifecycles, cloud), began, violation = asked, time.monotonic(), None
    with fresh_database(server, template) as database:
        sim = Simulation(seed, database, lifecycles, cloud)
        try:
            sim.run()
        except Violated as found:
            violation = str(found)
    outcome = Outcome(
        seed=seed,
        lifecycles=len(sim.book.acknowledged),
        faults=dict(sim.faults.tried),
        outside={**sim.cloud.faults, **sim.post.done, **sim.fate.done},
        checks=sim.judge.checks,
        hours=sim.clock.monotonic() / 3600,
        seconds=time.monotonic() - began,
        digest=sim.digest(),
        violation=violation,
    )
    said = "ok" if violation is None else "VIOLATED"
    print(f"seed {seed} {said}: {outcome.lifecycles} lifecycles, {sim.faults.total} faults, {outcome.checks} checks, "
          f"{outcome.hours:.1f} h in {outcome.seconds:.0f} s, {outcome.digest}", file=sys.stderr, flush=True)  # fmt: skip
    return outcome


def report(outcomes: list[Outcome], *, whole: bool) -> bool:
    """Print the table; return whether no law was broken."""
    tried: collections.Counter[tuple[str, str]] = collections.Counter()
    outside: collections.Counter[str] = collections.Counter()
    for outcome in outcomes:
        tried.update(outcome.faults)
        outside.update({kind: count for kind, count in outcome.outside.items() if count})
    broken = [outcome for outcome in outcomes if outcome.violation is not None]
    rows = {
        "seeds": f"{min(o.seed for o in outcomes)}–{max(o.seed for o in outcomes)}: {len(outcomes)}",
        "lifecycles": sum(outcome.lifecycles for outcome in outcomes),
        "faults at steps": sum(tried.values()),
        "faults outside (cloud, mail, fate)": sum(outside.values()),
        "checks of all laws": sum(outcome.checks for outcome in outcomes),
        "virtual hours": f"{sum(outcome.hours for outcome in outcomes):.0f}",
        "violations": len(broken),
        f"cells (step × mode) tried {ENOUGH} times": f"{sum(tried[cell] >= ENOUGH for cell in CELLS)} of {len(CELLS)}",
        "least tried": _least(tried),
    }
    print("| what | figure |\n|---|---|")
    for what, figure in rows.items():
        print(f"| {what} | {figure} |")
    if whole:
        print(f"\n| step | {' | '.join(MODES)} |\n|---|---|---|---|---|")
        for step in sorted({step for step, _ in CELLS}):
            print(f"| {step} | " + " | ".join(str(tried[step, mode]) for mode in MODES) + " |")
        print("\n| outside | times |\n|---|---|")
        for kind, count in sorted(outside.items()):
            print(f"| {kind} | {count} |")
    for outcome in broken:
        print(f"\n{outcome.violation}")
    return not broken


def _least(tried: collections.Counter[tuple[str, str]]) -> str:
    few = sorted(CELLS, key=lambda cell: tried[cell])[:8]
    return ", ".join(f"{step} {mode} {tried[step, mode]}" for step, mode in few)


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--cloud", choices=CLOUDS, default="simulated", help="whose providers")
    parser.add_argument("--seeds", default="0-219", help="first-last")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--lifecycles", type=int, default=LIFECYCLES)
    asked = parser.parse_args()
    if asked.seed is not None:
        return 0 if report(live([asked.seed], asked.lifecycles, asked.cloud), whole=False) else 1
    first, _, last = asked.seeds.partition("-")
    seeds = list(range(int(first), int(last or first) + 1))
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with concurrent.futures.ProcessPoolExecutor(asked.jobs) as pool:
        found = pool.map(live, chunks, [asked.lifecycles] * len(chunks), [asked.cloud] * len(chunks))
        outcomes = [outcome for chunk in found for outcome in chunk]
    return 0 if report(outcomes, whole=True) else 1


if __name__ == "__main__":
    sys.exit(main())
