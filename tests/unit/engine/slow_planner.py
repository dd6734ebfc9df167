"""The rules of the line written down once more, as slowly and plainly as they can be: every moment, every node, one by one."""

from __future__ import annotations

import datetime as dt
import itertools

import attrs

from gpudev_sdk.domain.plan import Bin, Plan, Question, Waiting


@attrs.define
class Taken:
    """Some slots of a bin, from a moment until another; None is forever."""

    begin: dt.datetime
    end: dt.datetime | None
    slots: int


@attrs.define
class House:
    """All bins, with what is taken of each."""

    now: dt.datetime
    taken: dict[Bin, list[Taken]]

    def free(self, place: Bin, at: dt.datetime) -> int:
        """Return the free slots at a moment."""
        return place.usable - sum(
            one.slots for one in self.taken[place] if one.begin <= at and (one.end is None or at < one.end)
        )

    def bin(self, backend: str | None, node: str | None) -> Bin:
        """Return a bin by its names."""
        return next(place for place in self.taken if (place.backend, place.node) == (backend, node))

    def moments(self) -> list[dt.datetime]:
        """Return every moment at which something changes."""
        changes = {self.now}
        for one in itertools.chain.from_iterable(self.taken.values()):
            changes |= {one.begin} | ({one.end} if one.end is not None else set())
        return sorted(moment for moment in changes if moment >= self.now)

    def is_free(self, place: Bin, asked: Waiting, start: dt.datetime) -> bool:
        """Whether the slots asked for stay free all the time."""
        end = start + asked.lasts
        looks = [start, *(moment for moment in self.moments() if start < moment < end)]
        return all(self.free(place, moment) >= asked.slots for moment in looks)

    def spots(self, asked: Waiting, start: dt.datetime) -> list[tuple[Bin, ...]]:
        """Return where it could be at a moment, the best first."""
        free = [place for place in self.taken if self.wants(asked, place) and self.is_free(place, asked, start)]
        if asked.nodes == 1:
            fits = [place for place in free if asked.node in (None, place.node)]
            return [(place,) for place in sorted(fits, key=lambda p: (self.free(p, start), p.backend, p.node))]
        found = []
        whole = [place for place in free if place.usable == place.total == asked.slots]
        for _, members in itertools.groupby(sorted(whole, key=_zone), key=_zone):
            ranked = sorted(members, key=lambda place: (place.node != asked.node, place.node))[: asked.nodes]
            if len(ranked) == asked.nodes and asked.node in (None, ranked[0].node):
                found.append(tuple(ranked))
        return found

    def wants(self, asked: Waiting, place: Bin) -> bool:
        """Whether a bin is of the type and place asked for."""
        return place.gpu_type == asked.gpu_type and asked.backend in (None, place.backend)


def _zone(place: Bin) -> tuple[str, str]:
    return place.backend, place.zone


def faults(question: Question, plan: Plan) -> list[str]:
    """Return what is not as the rules have it. Nobody in the question waits for a disk or a name.

    One after the other in the order of the line: nobody could start earlier than it does, beside those before it as they were
    placed. Of several nodes that would do for one, the planner may take any; for a gang, those that come first by name.
    """
    house = House(question.now, {place: [] for place in question.bins})
    for held in question.holdings:
        house.taken[house.bin(held.backend, held.node)].append(Taken(question.now, held.until, held.slots))
    placed = {one.reservation_id: one for one in plan.placements}
    found = []
    for asked in sorted(question.waiting, key=lambda asked: (-asked.priority, asked.seq)):
        one = placed[asked.reservation_id]
        spots = next(((start, spots) for start in house.moments() if (spots := house.spots(asked, start))), None)
        if spots is None or one.starts_at is None:
            found += (
                [f"{asked.seq} starts {one.starts_at}, and could {spots}"]
                if (spots, one.starts_at) != (None, None)
                else []
            )
            continue
        bins = tuple(house.bin(one.backend, node) for node in one.everywhere)
        lawful = spots[1] if asked.nodes == 1 else spots[1][:1]
        if one.starts_at != spots[0] or bins not in lawful:
            found.append(f"{asked.seq} starts {one.starts_at} on {one.everywhere}, and should {spots[0]} on {lawful}")
        for place in bins:
            house.taken[place].append(Taken(one.starts_at, one.starts_at + asked.lasts, asked.slots))
    return found
