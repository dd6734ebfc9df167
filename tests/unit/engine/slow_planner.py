"""The rules of the line written down once more, as slowly and plainly as they can be: every moment, every node, one by one."""

from __future__ import annotations

import collections
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
    #: Places for volumes, by backend and node.
    mounted: dict[tuple[str, str], list[Taken]] = attrs.field(factory=lambda: collections.defaultdict(list))

    def free(self, place: Bin, at: dt.datetime) -> int:
        """Return the free slots at a moment."""
        return place.usable - _at(self.taken[place], at)

    def may_mount(self, place: Bin, asked: Waiting, start: dt.datetime) -> bool:
        """Whether a place for its volume stays free all the time, if it has one."""
        if not asked.volume or place.volumes is None:
            return True
        held = self.mounted[place.backend, place.node]
        return all(_at(held, moment) < place.volumes for moment in self.looks(asked, start))

    def bin(self, backend: str | None, node: str | None) -> Bin:
        """Return a bin by its names."""
        return next(place for place in self.taken if (place.backend, place.node) == (backend, node))

    def moments(self) -> list[dt.datetime]:
        """Return every moment at which something changes."""
        changes = {self.now}
        for one in itertools.chain(*self.taken.values(), *self.mounted.values()):
            changes |= {one.begin} | ({one.end} if one.end is not None else set())
        return sorted(moment for moment in changes if moment >= self.now)

    def is_free(self, place: Bin, asked: Waiting, start: dt.datetime) -> bool:
        """Whether the slots asked for stay free all the time."""
        return all(self.free(place, moment) >= asked.slots for moment in self.looks(asked, start))

    def looks(self, asked: Waiting, start: dt.datetime) -> list[dt.datetime]:
        """Return the moments of its time at which anything could be otherwise than before."""
        return [start, *(moment for moment in self.moments() if start < moment < start + asked.lasts)]

    def spots(self, asked: Waiting, start: dt.datetime) -> list[tuple[Bin, ...]]:
        """Return where it could be at a moment, the best first."""
        free = [place for place in self.taken if self.wants(asked, place) and self.is_free(place, asked, start)]
        if asked.nodes == 1:
            fits = [place for place in free if self.may_head(place, asked, start)]
            return [(place,) for place in sorted(fits, key=lambda p: (self.free(p, start), p.backend, p.node))]
        found = []
        whole = [place for place in free if place.usable == place.total == asked.slots]
        for _, members in itertools.groupby(sorted(whole, key=_zone), key=_zone):
            by_name = sorted(members, key=lambda place: place.node)
            head = [place for place in by_name if self.may_head(place, asked, start)][:1]
            ranked = [*head, *(place for place in by_name if place not in head)][: asked.nodes]
            if head and len(ranked) == asked.nodes:
                found.append(tuple(ranked))
        return found

    def may_head(self, place: Bin, asked: Waiting, start: dt.datetime) -> bool:
        """Whether a node can have its disk: the first of a gang's does."""
        return asked.node in (None, place.node) and self.may_mount(place, asked, start)

    def take(self, bins: tuple[Bin, ...], asked: Waiting, start: dt.datetime) -> None:
        """Let a request have its slots, and a place for its volume on its first node."""
        for place in bins:
            self.taken[place].append(Taken(start, start + asked.lasts, asked.slots))
        if asked.volume:
            self.mounted[bins[0].backend, bins[0].node].append(Taken(start, start + asked.lasts, 1))

    def wants(self, asked: Waiting, place: Bin) -> bool:
        """Whether a bin is of the type and place asked for."""
        return place.gpu_type == asked.gpu_type and asked.backend in (None, place.backend)


def _at(held: list[Taken], moment: dt.datetime) -> int:
    return sum(one.slots for one in held if one.begin <= moment and (one.end is None or moment < one.end))


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
        if held.volume:
            house.mounted[held.backend, held.node].append(Taken(question.now, held.until, 1))
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
        house.take(bins, asked, one.starts_at)
    return found
