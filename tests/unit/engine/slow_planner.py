"""The rules of the line written down once more, as slowly and plainly as they can be: every moment, every node, one by one."""

from __future__ import annotations

import datetime as dt
import itertools

import attrs

from gpudev_sdk.domain.plan import Bin, Question, Waiting


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


def slow_plan(question: Question) -> dict[int, tuple[dt.datetime | None, tuple[str, ...]]]:
    """Return start and nodes of everybody, by number. Nobody in it waits for a disk or a name."""
    house = House(question.now, {place: [] for place in question.bins})
    for held in question.holdings:
        place = next(place for place in question.bins if (place.backend, place.node) == (held.backend, held.node))
        house.taken[place].append(Taken(question.now, held.until, held.slots))
    placed: dict[int, tuple[dt.datetime | None, tuple[str, ...]]] = {}
    for asked in sorted(question.waiting, key=lambda asked: (-asked.priority, asked.seq)):
        placed[asked.seq] = (None, ())
        for start in house.moments():
            spots = house.spots(asked, start)
            if spots:
                placed[asked.seq] = (start, tuple(place.node for place in spots[0]))
                for place in spots[0]:
                    house.taken[place].append(Taken(start, start + asked.lasts, asked.slots))
                break
    return placed
