"""How long a plan takes, beside a list schedule without backfill in the same run. `make bench`."""

from __future__ import annotations

import datetime as dt
import heapq
import random
import time
import uuid

import attrs
from measure import line

from gpudev_sdk.domain.plan import Bin, Holding, Question, Waiting
from gpudev_sdk.engine.planner import plan

NOW = dt.datetime(2026, 1, 5, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def question(waiting: int, nodes: int) -> Question:
    """Return a full fleet with a line of mixed requests."""
    chance = random.Random(7)
    bins = tuple(Bin(backend="b", node=f"n{number}", gpu_type="h100", usable=8) for number in range(nodes))
    holdings = tuple(
        Holding(backend="b", node=place.node, gpu_type="h100", slots=8, until=NOW + chance.randint(1, 24) * HOUR)
        for place in bins
    )
    line_ = tuple(
        Waiting(
            reservation_id=uuid.UUID(int=number), gpu_type="h100", slots=chance.choice((1, 1, 2, 4, 8)),
            lasts=chance.choice((1, 2, 4, 8, 24)) * HOUR, priority=0, seq=number,
        )
        for number in range(waiting)
    )  # fmt: skip
    return Question(now=NOW, bins=bins, holdings=holdings, waiting=line_)


def list_schedule(asked: Question) -> None:
    """Give everyone the node that is free first: the floor, without holes or backfill."""
    free = [(held.until.timestamp() if held.until else 0.0, held.node) for held in asked.holdings]
    heapq.heapify(free)
    for waiting in asked.waiting:
        moment, node = heapq.heappop(free)
        heapq.heappush(free, (moment + waiting.lasts.total_seconds() * waiting.slots / 8, node))


def with_few_places(asked: Question) -> Question:
    """Return the same where seven of ten have a disk and a node can have four: so many that half of its slots are for others."""
    chance = random.Random(7)
    return attrs.evolve(
        asked,
        bins=tuple(attrs.evolve(place, volumes=4) for place in asked.bins),
        waiting=tuple(attrs.evolve(waiting, volume=chance.random() < 0.7) for waiting in asked.waiting),
    )


def main() -> None:
    """Print the figures."""
    for waiting, nodes, bar in ((10_000, 1_000, "bar 0.3 s"), (100_000, 10_000, "bar 5 s")):
        asked = question(waiting, nodes)
        began = time.perf_counter()
        list_schedule(asked)
        floor = time.perf_counter() - began
        began = time.perf_counter()
        plan(asked)
        took = time.perf_counter() - began
        line(f"plan of {waiting} waiting over {nodes} nodes", f"{took:.2f} s", f"{bar}; floor {floor:.2f} s")
    few = with_few_places(question(10_000, 1_000))
    began = time.perf_counter()
    plan(few)
    line("the same of 10000, four disks at most on a node", f"{time.perf_counter() - began:.2f} s", "no bar")


if __name__ == "__main__":
    main()
